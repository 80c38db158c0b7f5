/**
 * Hides `${{ ... }}` from the YAML parser, to which their braces, colons and quotes mean something else.
 *
 * Each is replaced by as many characters of the private use area, so that all offsets stay what they are.
 */
export function shield(text: string): { readonly text: string; restore(part: string, style: ScalarStyle): string } {
  if (!text.includes("${{") || text.includes(mark)) return { text, restore: (part) => part };
  const hidden: string[] = [];
  const shielded = text.replaceAll(/\$\{\{[^\r\n]*?\}\}/g, (placeholder) => {
    if (hidden.length >= digits * digits) return placeholder;
    const number = hidden.push(placeholder) - 1;
    const token = `${mark}${digit(number % digits)}${digit(Math.floor(number / digits))}`;
    return `${token.padEnd(placeholder.length - 1, filler)}${end}`;
  });
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
