/** Hint where a value would be read as an expression. */
export const arithmeticHint = "give it to a variable first (`n=${{ ... }}`), check that it is a number, and use that";

/** A simple command, so far as it has been read. */
export interface Command {
  /** Its words without quotes, and with U+FFFC for what only running it would tell. */
  readonly words: string[];
  /** The run-time values among them: which one, in which word, after what in that word. */
  readonly values: { readonly index: number; readonly word: number; readonly prefix: string }[];
  /** Whether these are the elements of a `name=( )`. */
  readonly list: boolean;
}

/** Why a value may not stand where it does, and what to write instead. */
export interface Refusal {
  readonly message: string;
  readonly hint: string;
}

/** Whether a word gives a value to a variable. */
export function isAssignment(word: string): boolean {
  return /^[A-Za-z_]\w*(\[[^\]]*\])?\+?=/.test(word);
}

/** The first word that is neither an assignment nor a word in front of a command. */
export function commandName(words: readonly string[]): string {
  const index = words.findIndex((word) => !isAssignment(word) && !/^(command|builtin|exec|-[a-z]+|--)$/.test(word));
  return words[index] ?? "";
}

/** They take names of variables, in which bash runs commands (`a[$(id)]`), or program text. */
const readers = new Set([
  "eval",
  "let",
  "trap",
  "alias",
  "unset",
  "read",
  "mapfile",
  "readarray",
  "getopts",
  "wait",
  "shopt",
  "complete",
  "compgen",
  "bind",
]);
export const declarations = new Set(["declare", "typeset", "local", "readonly", "export"]);
const shells = /(^|\/)(sh|bash|dash|ash|ksh|mksh|zsh|fish|busybox|su)$/;
export const interpreters =
  /(^|\/)(sh|bash|dash|ash|ksh|mksh|zsh|fish|busybox|su|node|nodejs|deno|bun|python[\d.]*|pypy[\d.]*|perl[\d.]*|ruby[\d.]*|php[\d.]*|lua[\d.]*|pwsh|osascript)$/;

/** More options than this before a word are nobody's command line. */
const maxOptions = 20;

/**
 * Judges the values of a command: for each, by its word and what stands before it in the word, why it may not stand there. What
 * the command as a whole says is looked at once.
 */
export function judgeOf({ words, list }: Command): (word: number, prefix: string) => Refusal | undefined {
  const inIndex: Refusal = { message: "stands in the index of an array, which is arithmetic", hint: arithmeticHint };
  if (list) return (_word, prefix) => (/^\[[^\]]*$/.test(prefix) ? inIndex : undefined);

  const name = commandName(words);
  const at = words.indexOf(name);
  const whole = wholeRefusal(name, words);
  const listOption = words.findIndex((each, index) => index > at && /^[-+].*[aAin]/.test(each));
  // Of each place, the last interpreter before it.
  const before: (number | undefined)[] = [];
  for (const [index, each] of words.entries())
    before[index + 1] = index >= at && interpreters.test(each) ? index : before[index];

  return (word, prefix) => {
    if (/^[A-Za-z_]\w*\[[^\]]*$/.test(prefix)) return inIndex;
    if (whole !== undefined && (name === "[[" || word > at)) return whole;
    if (word <= at) return undefined;
    if (declarations.has(name)) {
      if (!/^[A-Za-z_]\w*\+?=/.test(prefix)) {
        return {
          message: `is an argument of \`${name}\`, which would read a name from it`,
          hint: `write \`${name} name=\${{ ... }}\``,
        };
      }
      if (listOption !== -1 && listOption < word) {
        return {
          message: `is given to a variable that \`${name}\` makes a list, a number or a reference, whose text bash reads as an expression`,
          hint: "give it to a plain variable",
        };
      }
    }
    if (name === "printf" && words[at + 1]?.startsWith("-v") === true && word <= at + 2) {
      return {
        message: "is the name of a variable for `printf -v`, in which commands may be run",
        hint: "write a fixed name",
      };
    }
    const interpreter = before[word];
    if (interpreter === undefined || !isProgramText(interpreter, words, word, prefix)) return undefined;
    return {
      message: `stands in program text for \`${words[interpreter]}\`, which would run what is in it`,
      hint: "pass it as an argument: `sh -c 'echo \"$1\"' sh ${{ ... }}`",
    };
  };
}

/** What is wrong with any value in a command, wherever it stands. */
function wholeRefusal(name: string, words: readonly string[]): Refusal | undefined {
  if (readers.has(name)) {
    return {
      message: `is an argument of \`${name}\`, which reads it as program text or as the name of a variable`,
      hint: `give it to a variable first (\`value=\${{ ... }}\`), and leave \`${name}\` out or write \`'$value'\` in its text`,
    };
  }
  if (name === "[[" && words.some((each) => /^-(eq|ne|lt|le|gt|ge|v|R)$/.test(each))) {
    return {
      message: "stands in `[[ ]]` with an operator that reads a value as an expression and may run commands in it",
      hint: "compare numbers with `[ ]`, or text with `==`",
    };
  }
  if ((name === "test" || name === "[") && words.some((each) => each === "-v" || each === "-R")) {
    return {
      message: `stands in \`${name} -v\`, which may run commands in the name it is given`,
      hint: 'write `[ -n "${name+x}" ]`',
    };
  }
  return undefined;
}

/** Whether a word is what an interpreter runs because of the option before it, or within it. */
function isProgramText(interpreter: number, words: readonly string[], word: number, prefix: string): boolean {
  const isShell = shells.test(words[interpreter] ?? "");
  const option = isShell
    ? /^[-+][A-Za-z]*c[A-Za-z]*$/
    : /^(-[A-Za-z]*[ceEpr]|--eval|--print|--command|-command|eval)$/i;
  // Together with its option: `-e"..."`.
  if (!isShell && /^(-[A-Za-z]*[ceEpr]|--eval=|--print=)/.test(prefix)) return true;
  for (let before = word - 1; before > interpreter; before--) {
    const each = words[before] ?? "";
    if (option.test(each) || word - before > maxOptions) return true;
    // Options may stand between, with a word of their own.
    if (!/^[-+]/.test(each) && !/^[-+][A-Za-z]*[oO]$/.test(words[before - 1] ?? "")) return false;
  }
  return false;
}
