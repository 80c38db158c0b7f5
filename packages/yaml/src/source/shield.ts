/**
 * Hides `${{ ... }}` from the YAML parser, to which their braces, colons and quotes mean something else.
 *
 * Each is replaced by as many characters of the private use area, so that all offsets stay what they are.
 */
export function shield(text: string): { readonly text: string; restore(part: string, style: ScalarStyle): string } {
  if (!text.includes("${{") || text.includes(mark)) return { text, restore: (part) => part };
  const hidden: string[] = [];
  let shielded = "";
  let last = 0;
  let close = -1;
  let lineEnd = -1;
  // Both ends are looked for once each, however many placeholders are never closed.
  for (let start = text.indexOf("${{"); start !== -1; start = text.indexOf("${{", Math.max(last, start + 3))) {
    if (close < start + 3) close = text.indexOf("}}", start + 3);
    if (close === -1 || hidden.length >= digits * digits) break;
    if (lineEnd < start) lineEnd = endOfLine(text, start);
    if (close > lineEnd) continue;
    const number = hidden.push(text.slice(start, close + 2)) - 1;
    const token = `${mark}${digit(number % digits)}${digit(Math.floor(number / digits))}`;
    shielded += `${text.slice(last, start)}${token.padEnd(close + 1 - start, filler)}${end}`;
    last = close + 2;
  }
  shielded += text.slice(last);
  return {
    text: shielded,
    restore: (part, style) =>
      part.includes(mark)
        ? part.replaceAll(tokens, (_, low: string, high: string) =>
            unescaped(hidden[numberOf(low) + digits * numberOf(high)] ?? "", style),
          )
        : part,
  };
}

/** How a text is written in YAML. */
export type ScalarStyle = "plain" | "single" | "double" | "block";

const mark = "\uE000";
const filler = "\uE001";
const end = "\uE002";
const firstDigit = 0xe100;
const digits = 0xf8ff - firstDigit;
const tokens = /\uE000([\uE100-\uF8FE])([\uE100-\uF8FE])\uE001*\uE002/g;

function digit(value: number): string {
  return String.fromCharCode(firstDigit + value);
}

function numberOf(character: string): number {
  return character.charCodeAt(0) - firstDigit;
}

function endOfLine(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}

/** What the parser would have made of it within its quotes. */
function unescaped(placeholder: string, style: ScalarStyle): string {
  if (style === "single") return placeholder.replaceAll("''", "'");
  if (style !== "double" || !placeholder.includes("\\")) return placeholder;
  try {
    return JSON.parse(`"${placeholder}"`) as string;
  } catch {
    return placeholder;
  }
}
