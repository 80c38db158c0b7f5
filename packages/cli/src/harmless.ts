import type { Terminal } from "./terminal.ts";

const introducer = "\u001B";
/** What a terminal takes for colours and the like, and for nothing else. */
const colour = /^\[[\d;:]*m/u;

/**
 * Text that says what it says and does nothing else: control characters, by which a step's output or a name could move the cursor or
 * clear the screen, are shown as pictures (`␛`). Tabs, line ends and colours stay.
 */
export function harmless(text: string): string {
  if (!/[\p{Cc}--[\t\n]]/v.test(text)) return text;
  let isColoured = false;
  const told = text.replaceAll(/\r?\n|\r$|[\p{Cc}--\t]/gv, (found: string, at: number) => {
    if (found.endsWith("\n")) return "\n";
    if (at + found.length === text.length && found.startsWith("\r")) return "";
    if (found !== introducer) return picture(found);
    const [code] = colour.exec(text.slice(at + 1, at + 40)) ?? [];
    if (code === undefined) return picture(found);
    isColoured = !/^\[(?:0|22|39|49)?m$/u.test(code);
    return found;
  });
  // Its colour is not to go on in what comes next.
  return isColoured ? `${told.replace(/\n$/u, "")}${introducer}[0m${told.endsWith("\n") ? "\n" : ""}` : told;
}

function picture(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x24_00 + code);
  return code === 0x7f ? "␡" : `\\x${code.toString(16)}`;
}

/** The same terminal, to which nothing else is written. */
export function harmlessTerminal(terminal: Terminal): Terminal {
  return {
    ...terminal,
    data: (text) => terminal.data(harmless(text)),
    say: (line) => terminal.say(harmless(line)),
  };
}
