import {
  arithmeticHint,
  commandName,
  declarations,
  interpreters,
  isAssignment,
  judgeOf,
  type Command,
} from "./value-rules.ts";

/** Where a run-time value stands in a program text. */
export type ValuePlace =
  /** Part of a word, outside of any quotes: its reference must be quoted. */
  | { readonly kind: "unquoted" }
  /** In double quotes, or in a here-document that expands: its reference stands as it is. */
  | { readonly kind: "quoted" }
  /** In a comment, where it does nothing. */
  | { readonly kind: "comment" }
  /** Where no reference is sure to arrive as it is, or where the shell would read the value as program text. */
  | { readonly kind: "refused"; readonly message: string; readonly hint: string };

/** A piece of the text that stands for a run-time value. */
export interface ValueSpan {
  readonly start: number;
  readonly end: number;
}

/** `bash`, or any POSIX shell, of which it is not known whether it is bash. */
export type ShellDialect = "bash" | "posix";

/**
 * Says of each span, in order, where in the shell program it stands.
 *
 * A lexer of the quoting of POSIX shells, as bash and dash read it, and of as much of their grammar as decides about quoting:
 * comments, here-documents, substitutions, `case` patterns, arithmetic, and which commands read their arguments as program text.
 * Where the two shells, or the places in the text that would tell, leave any doubt, all spans from there on are refused.
 * One pass over the text; nothing is ever run.
 */
export function scanShell(text: string, spans: readonly ValueSpan[], dialect: ShellDialect): readonly ValuePlace[] {
  return new Scanner(text, spans, dialect).scan();
}

/** A word so far: without its quotes, and with U+FFFC for what only running it would tell. */
interface Word {
  text: string;
  /** Whether it has neither quotes nor anything that is replaced. */
  plain: boolean;
  readonly command: Command;
}

interface HereDocument {
  readonly delimiter: string;
  readonly quoted: boolean;
  readonly stripTabs: boolean;
  readonly level: number;
  /** Who reads it. */
  readonly command: Command;
}

/** Where in a `case` we are: before its word, before its `in`, in patterns, in commands. */
type CaseState = "word" | "in" | "pattern" | "body";

/** As much of a word is kept: no name of a command or variable is longer. */
const maxWord = 300;
/** Stands in a word for what is not literal text. */
const unknown = "\uFFFC";
const prefixWords = new Set(["if", "then", "elif", "else", "do", "while", "until", "{", "!", "time", "coproc"]);
/** More nesting than this is nobody's program. */
const maxDepth = 100;
const wordEnd = new Set([" ", "\t", "\n", ";", "&", "|", "<", ">", "(", ")"]);
const variableHint = "give it to a variable on a line before (`value=${{ ... }}`), and write `$value` here";

class Scanner {
  readonly #text: string;
  readonly #spans: readonly ValueSpan[];
  readonly #bash: boolean;
  readonly #places: ValuePlace[] = [];
  /** The span that comes next. */
  #next = 0;
  #at = 0;
  /** How many `$( )` are open. */
  #level = 0;
  #depth = 0;
  #pending: HereDocument[] = [];
  /** Values that a command reads as its standard input. */
  readonly #inputs: { readonly indices: readonly number[]; readonly command: Command }[] = [];
  /** Values that are given to variables. */
  readonly #assigned: number[] = [];
  /** Whether some variable is made a number or a reference: what is given to it is then read as an expression. */
  #hasNumbers = false;
  #doubt: { readonly message: string; readonly hint: string } | undefined;

  constructor(text: string, spans: readonly ValueSpan[], dialect: ShellDialect) {
    this.#text = text;
    this.#spans = spans;
    this.#bash = dialect === "bash";
  }

  scan(): readonly ValuePlace[] {
    while (this.#at < this.#text.length) {
      this.#commands(true);
      // A `)` too many: the shell refuses it, unless something above was misread.
      if (this.#at < this.#text.length) this.#doubtful("an unexpected `)` before it");
    }
    for (const { indices, command } of this.#inputs) {
      const reader = command.words.find((word) => interpreters.test(word) || /(^|\/)ssh$/.test(word));
      if (reader !== undefined) {
        this.#refuseAll(
          indices,
          `stands in what \`${reader}\` reads as its program`,
          "pass it as an argument (`sh -s -- ${{ ... }}`), quote the tag, and read `$1` in the program",
        );
      }
    }
    if (this.#hasNumbers)
      this.#refuseAll(
        this.#assigned,
        "may be given to a variable that is declared a number or a reference",
        "remove `-i` and `-n` from the declarations in this program",
      );
    return this.#places;
  }

  // ---------------------------------------------------------------- spans

  #spanHere(): boolean {
    return this.#spans[this.#next]?.start === this.#at;
  }

  /** Takes the span that begins here. */
  #take(place: ValuePlace): void {
    const span = this.#spans[this.#next];
    if (span === undefined) return;
    const doubt = this.#doubt;
    this.#places.push(doubt === undefined || place.kind === "comment" ? place : { kind: "refused", ...doubt });
    this.#next++;
    this.#at = span.end;
  }

  #refuse(message: string, hint: string): void {
    this.#take({ kind: "refused", message, hint });
  }

  #refuseAll(indices: readonly number[], message: string, hint: string): void {
    for (const index of indices)
      if (this.#places[index]?.kind !== "refused") this.#places[index] = { kind: "refused", message, hint };
  }

  /** Refuses what was taken at or after an offset, and not refused yet. */
  #refuseSince(offset: number, message: string, hint: string): void {
    for (let index = this.#next - 1; index >= 0 && (this.#spans[index]?.start ?? -1) >= offset; index--) {
      if (this.#places[index]?.kind !== "refused") this.#places[index] = { kind: "refused", message, hint };
    }
  }

  /** From here on nothing is certain. */
  #doubtful(why: string): void {
    this.#doubt ??= {
      message: `cannot be placed safely: shells differ about ${why}`,
      hint: this.#bash ? variableHint : `${variableHint}; or say which shell it is with \`shell: bash\``,
    };
  }

  #unclosed(from: number, what: string): void {
    this.#at = this.#text.length;
    this.#refuseSince(from, `stands in ${what} that is never closed`, `close ${what}`);
  }

  // ---------------------------------------------------------------- characters

  #look(offset = 0): string {
    return this.#text[this.#at + offset] ?? "";
  }

  /** Whether a span lies in what comes next, up to `end`; each is refused. Goes to `end`. */
  #skipRefusing(end: number, message: string, hint: string): void {
    while (this.#at < end) {
      const start = this.#spans[this.#next]?.start;
      if (start === undefined || start >= end) break;
      this.#at = start;
      this.#refuse(message, hint);
    }
    this.#at = Math.max(this.#at, end);
  }

  // ---------------------------------------------------------------- commands

  /** Commands up to the `)` that closes them, which is taken, or the end of the text. */
  #commands(top: boolean): void {
    this.#nested(() => this.#commandsHere(top));
  }

  /** Goes one level deeper; below the limit, the rest of the text is refused. */
  #nested(read: () => void): void {
    if (this.#depth === maxDepth) {
      return this.#skipRefusing(
        this.#text.length,
        `stands after more than ${maxDepth} nested quotes and brackets`,
        variableHint,
      );
    }
    this.#depth++;
    read();
    this.#depth--;
  }

  #commandsHere(top: boolean): void {
    const cases: CaseState[] = [];
    let command: Command = fresh();
    let expectsCommand = true;
    let afterParenthesis = -1;
    const finish = (): void => {
      this.#judge(command);
      command = fresh();
      expectsCommand = true;
    };

    while (this.#at < this.#text.length) {
      const character = this.#look();
      const state = cases.at(-1);
      if (character === " " || character === "\t") this.#at++;
      else if (character === "\\" && this.#look(1) === "\n") this.#at += 2;
      else if (character === "\n") {
        this.#at++;
        finish();
        this.#hereDocuments();
      } else if (character === "#" && !this.#spanHere()) {
        if (afterParenthesis === this.#at) this.#doubtful("a `#` right after a `)`");
        this.#comment();
      } else if (character === ")") {
        this.#at++;
        if (state === "pattern") {
          cases[cases.length - 1] = "body";
          finish();
          continue;
        }
        this.#judge(command);
        if (state !== undefined) this.#doubtful("a `)` inside a `case`");
        if (top) this.#doubtful("a `)` that closes nothing");
        return;
      } else if (character === ";" || character === "&" || character === "|") {
        this.#separator(cases, () => finish());
      } else if (character === "<" || character === ">") this.#redirect(command);
      else if (character === "(") {
        const start = this.#at;
        this.#at++;
        if (state === "pattern" && command.words.length === 0) continue;
        if (this.#look() === "(" && !this.#spanHere()) this.#doubleParenthesis(start);
        else this.#commands(false);
        afterParenthesis = this.#at;
        // What follows is the body of a function, or goes on with the words of `name=( )` and the like.
        if (command.words.length <= 1) expectsCommand = true;
      } else {
        const isName = expectsCommand && state !== "pattern";
        const { text: word, plain } = this.#word(command);
        if (state === "word") {
          cases[cases.length - 1] = "in";
        } else if (state === "in") {
          // Anything else than `in` is refused by the shell.
          cases[cases.length - 1] = "pattern";
          finish();
        } else if (
          plain &&
          word === "esac" &&
          cases.length > 0 &&
          (isName || (state === "pattern" && expectsCommand))
        ) {
          cases.pop();
          expectsCommand = false;
        } else if (plain && isName && word === "case") {
          cases.push("word");
          expectsCommand = false;
        } else if (plain && isName && prefixWords.has(word)) {
          command = fresh();
        } else if (plain && isName && word === "[[") {
          this.#conditional(command);
          expectsCommand = false;
        } else if (plain && isName && (word === "for" || word === "select" || word === "function")) {
          expectsCommand = false;
        } else if (!isName || !isAssignment(word)) expectsCommand = false;
      }
    }
    this.#judge(command);
    if (!top) this.#refuseSince(0, "stands in a text with a `(` that is never closed", "close the `(`");
    if (this.#pending.length > 0)
      this.#refuseSince(0, "stands in a text with a here-document that never begins", "end it");
  }

  #comment(): void {
    while (this.#at < this.#text.length && this.#look() !== "\n") {
      if (this.#spanHere()) this.#take({ kind: "comment" });
      else this.#at++;
    }
  }

  #separator(cases: CaseState[], finish: () => void): void {
    const ends = /^(;;&|;;|;&)/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0];
    if (ends !== undefined && cases.at(-1) === "body") {
      this.#at += ends.length;
      cases[cases.length - 1] = "pattern";
    } else if (this.#look() === "&" && this.#look(1) === ">") {
      // `&>file`: in bash a redirection; elsewhere `&` and `>file`. Either way the next word is a file.
      if (!this.#bash) this.#doubtful("`&>`");
      this.#at++;
      return;
    } else if (this.#look() === "|" && cases.at(-1) === "pattern") {
      this.#at++;
      return;
    } else this.#at++;
    finish();
  }

  /** `<`, `>` and what belongs to them, with the word after them. */
  #redirect(command: Command): void {
    const operator = /^(<<<|<<-|<<|<>|<&|<|>>|>&|>\||>)/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0] ?? "<";
    // The number of a stream is no word.
    if (/\d/.test(this.#look(-1)) && /^\d+$/.test(command.words.at(-1) ?? "")) command.words.pop();
    this.#at += operator.length;
    if (this.#look() === "(" && (operator === "<" || operator === ">")) {
      this.#at++;
      this.#commands(false);
      command.words.push(unknown);
      return;
    }
    if (operator === "<<" || operator === "<<-") return this.#hereDocument(operator === "<<-", command);
    this.#blanks();
    if (this.#at >= this.#text.length || wordEnd.has(this.#look())) return;
    const target = fresh();
    this.#word(target);
    if (operator === ">&" || operator === "<&") {
      // bash 5.2 replaces what it finds in the value once more: `>&"$value"` runs the `$( )` in it.
      const indices = target.values.map(({ index }) => index);
      this.#refuseAll(indices, `stands after \`${operator}\`, where bash may run what is in it`, "write `> file 2>&1`");
    }
    if (operator === "<<<") this.#inputs.push({ indices: target.values.map(({ index }) => index), command });
  }

  #blanks(): void {
    for (;;) {
      if (this.#look() === " " || this.#look() === "\t") this.#at++;
      else if (this.#look() === "\\" && this.#look(1) === "\n") this.#at += 2;
      else return;
    }
  }

  /** `[[ ... ]]`: here `<`, `>`, `(`, `)`, `&` and `|` are operators of its own. */
  #conditional(command: Command): void {
    const start = this.#at;
    while (this.#at < this.#text.length) {
      const character = this.#look();
      if (wordEnd.has(character)) this.#at++;
      else if (character === "#" && !this.#spanHere() && /\s/.test(this.#look(-1))) this.#comment();
      else {
        const { text, plain } = this.#word(command);
        if (plain && text === "]]") return;
      }
    }
    this.#unclosed(start, "a `[[`");
  }

  // ---------------------------------------------------------------- words

  /** One word, added to the command. */
  #word(command: Command): Word {
    const word: Word = { text: "", plain: true, command };
    while (this.#at < this.#text.length) {
      const character = this.#look();
      if (this.#spanHere()) this.#value(word, "unquoted");
      else if (character === "(" && /^[A-Za-z_]\w*(\[.*\])?\+?=$/s.test(word.text)) {
        this.#at++;
        this.#list();
        append(word, unknown);
        word.plain = false;
      } else if (wordEnd.has(character)) break;
      else this.#piece(word, character);
    }
    command.words.push(word.text);
    return word;
  }

  /** One character of a word, or all of what it begins. */
  #piece(word: Word, character: string): void {
    if (character === "\\" || character === "'" || character === '"' || character === "`" || character === "$")
      word.plain = false;
    if (character === "\\") {
      this.#at++;
      if (this.#spanHere())
        this.#refuse("stands after a backslash, which would take its meaning", "remove the backslash");
      else {
        if (this.#look() !== "\n") append(word, this.#look());
        this.#at++;
      }
    } else if (character === "'") append(word, this.#single());
    else if (character === '"') this.#double(word);
    else if (character === "`") {
      append(word, unknown);
      this.#backticks();
    } else if (character === "$") {
      const start = this.#at;
      this.#dollar(false);
      append(word, this.#at === start + 1 ? "$" : unknown);
    } else {
      append(word, character);
      this.#at++;
    }
  }

  /** The value that stands here, as a part of a word. */
  #value(word: Word, kind: "unquoted" | "quoted"): void {
    word.command.values.push({ index: this.#next, word: word.command.words.length, prefix: word.text });
    append(word, unknown);
    word.plain = false;
    this.#take({ kind });
  }

  /** The words of `name=( )`. */
  #list(): void {
    this.#nested(() => this.#elements());
  }

  #elements(): void {
    const start = this.#at;
    const list: Command = { words: [], values: [], list: true };
    while (this.#at < this.#text.length) {
      const character = this.#look();
      if (character === ")") {
        this.#at++;
        return this.#judge(list);
      }
      if (character === "#" && !this.#spanHere()) this.#comment();
      else if (character === "<" || character === ">") this.#redirect(list);
      else if (wordEnd.has(character)) this.#at++;
      else this.#word(list);
    }
    this.#unclosed(start, "a `(`");
  }

  /** Single quotes; gives what is in them. */
  #single(): string {
    const start = this.#at + 1;
    const end = this.#text.indexOf("'", start);
    // A quote inside of a span's expression belongs to the expression.
    let close = end;
    for (let index = this.#next; close !== -1; index++) {
      const span = this.#spans[index];
      if (span === undefined || span.start > close) break;
      if (span.end > close) close = this.#text.indexOf("'", span.end);
    }
    this.#skipRefusing(
      close === -1 ? this.#text.length : close,
      "stands in single quotes, where the shell replaces nothing",
      `end the quotes before it and begin them after it ('...'\${{ ... }}'...'), or use double quotes`,
    );
    if (close === -1) return "";
    this.#at = close + 1;
    return this.#text.slice(start, close);
  }

  #double(word: Word): void {
    const start = this.#at;
    this.#at++;
    while (this.#at < this.#text.length) {
      const character = this.#look();
      if (this.#spanHere()) this.#value(word, "quoted");
      else if (character === '"') {
        this.#at++;
        return;
      } else if (character === "$") {
        const dollar = this.#at;
        this.#dollar(true);
        append(word, this.#at === dollar + 1 ? "$" : unknown);
      } else if (character === "'") {
        append(word, character);
        this.#at++;
      } else this.#piece(word, character);
    }
    this.#unclosed(start, "a double quote");
  }

  /** Backquotes are read twice, with rules about backslashes that differ: nothing is replaced in them. */
  #backticks(): void {
    const start = this.#at;
    this.#at++;
    while (this.#at < this.#text.length) {
      if (this.#spanHere()) {
        this.#refuse(
          "stands in backquotes, where its quoting cannot be relied on",
          "write `$( ... )` instead of the backquotes",
        );
      } else if (this.#look() === "\\") this.#at += this.#spans[this.#next]?.start === this.#at + 1 ? 1 : 2;
      else if (this.#look() === "`") {
        this.#at++;
        return;
      } else this.#at++;
    }
    this.#unclosed(start, "a backquote");
  }

  // ---------------------------------------------------------------- what begins with a dollar

  #dollar(quoted: boolean): void {
    this.#nested(() => this.#afterDollar(quoted));
  }

  #afterDollar(quoted: boolean): void {
    this.#at++;
    if (this.#spanHere()) {
      return this.#refuse(
        "stands right after a `$`, which would become part of its reference",
        "remove the `$`, or write `\\$`",
      );
    }
    const character = this.#look();
    if (character === "(") {
      if (this.#look(1) === "(") return this.#arithmetic(this.#at - 1);
      this.#at++;
      return this.#substitution();
    }
    if (character === "{") return this.#parameter(quoted);
    if (character === "[") return this.#oldArithmetic();
    if (character === "'" && !quoted) return this.#ansiQuotes();
    // A locale's translation of `$"..."`: the quotes are read as usual.
    if (character === '"') return;
    if (/[A-Za-z0-9_$#?!@*-]/.test(character)) {
      this.#at++;
      if (/[A-Za-z_]/.test(character)) while (/\w/.test(this.#look())) this.#at++;
    }
  }

  /** Commands in `$( )`: quoting begins anew in there. */
  #substitution(): void {
    this.#level++;
    this.#commands(false);
    this.#level--;
    if (this.#pending.some((document) => document.level > this.#level)) {
      this.#doubtful("a here-document that begins in `$( )` and ends outside");
      this.#pending = this.#pending.filter((document) => document.level <= this.#level);
    }
  }

  #arithmetic(start: number): void {
    const open = this.#at;
    const close = this.#arithmeticEnd(open + 2);
    if (close !== -1) this.#quotesWithin(open, close);
    else {
      // `$((a); (b))`: commands after all, in bash; dash refuses it.
      this.#at = open + 1;
      this.#substitution();
      this.#refuseSince(start, "stands in `$((`, which may be arithmetic", "write `$( (`, with a space, or use `$( )`");
      return;
    }
    this.#skipRefusing(
      close,
      "stands in arithmetic, where the shell reads a value as an expression and may run commands in it",
      arithmeticHint,
    );
  }

  /** `((`: arithmetic in bash, two subshells elsewhere. */
  #doubleParenthesis(start: number): void {
    if (!this.#bash) this.#doubtful("`((`");
    const close = this.#arithmeticEnd(this.#at + 1);
    if (close !== -1) {
      this.#quotesWithin(start, close);
      return this.#skipRefusing(
        close,
        "stands in arithmetic, where the shell reads a value as an expression and may run commands in it",
        arithmeticHint,
      );
    }
    this.#commands(false);
    this.#refuseSince(start, "stands in `((`, which may be arithmetic", "write `( (`, with a space");
  }

  /** Only brackets are counted there: quotes could hide one. */
  #quotesWithin(from: number, to: number): void {
    let next = this.#next;
    for (let at = from; at < to; at++) {
      const span = this.#spans[next];
      if (span?.start === at) {
        at = span.end - 1;
        next++;
      } else if (/["'`\\]/.test(this.#text[at] ?? "")) return this.#doubtful("quotes in arithmetic");
    }
  }

  /** The offset after the `))` that closes what begins at `from`, or -1 where that is no arithmetic. */
  #arithmeticEnd(from: number): number {
    let depth = 0;
    let next = this.#next;
    for (let at = from; at < this.#text.length; at++) {
      const span = this.#spans[next];
      if (span?.start === at) {
        at = span.end - 1;
        next++;
        continue;
      }
      const character = this.#text[at];
      if (character === "\\") at++;
      else if (character === "(") depth++;
      else if (character === ")" && depth > 0) depth--;
      else if (character === ")") return this.#text[at + 1] === ")" ? at + 2 : -1;
    }
    return -1;
  }

  #oldArithmetic(): void {
    if (!this.#bash) this.#doubtful("`$[`");
    let depth = 0;
    let next = this.#next;
    let at = this.#at;
    for (; at < this.#text.length; at++) {
      const span = this.#spans[next];
      if (span?.start === at) {
        at = span.end - 1;
        next++;
      } else if (this.#text[at] === "[") depth++;
      else if (this.#text[at] === "]" && --depth === 0) break;
    }
    this.#quotesWithin(this.#at, at);
    this.#skipRefusing(
      Math.min(at + 1, this.#text.length),
      "stands in `$[ ]`, which is arithmetic in bash",
      arithmeticHint,
    );
  }

  /** `$'...'`: quotes with escapes in bash; a dollar and usual single quotes in an older POSIX shell. */
  #ansiQuotes(): void {
    const start = this.#at;
    this.#at++;
    let escapedQuote = false;
    while (this.#at < this.#text.length) {
      if (this.#spanHere()) {
        this.#refuse(
          "stands in single quotes, where the shell replaces nothing",
          "end the quotes before it, and begin them after it",
        );
      } else if (this.#look() === "\\") {
        escapedQuote ||= this.#look(1) === "'" || this.#look(1) === "\\";
        this.#at += this.#spans[this.#next]?.start === this.#at + 1 ? 1 : 2;
      } else if (this.#look() === "'") {
        this.#at++;
        if (escapedQuote && !this.#bash) this.#doubtful("backslashes in `$'...'`");
        return;
      } else this.#at++;
    }
    this.#unclosed(start, "a single quote");
  }

  /** `${...}`: no value is placed in it, for its quoting rules are many; only its end is looked for. */
  #parameter(quoted: boolean): void {
    const start = this.#at;
    const refuse = (): void =>
      this.#refuse(
        "stands inside of `${ }`, where quoting differs between shells, and an index or offset is arithmetic",
        variableHint,
      );
    this.#at++;
    if (/[\s|]/.test(this.#look())) this.#doubtful("`${` with a space after it");
    while (this.#at < this.#text.length) {
      const character = this.#look();
      if (this.#spanHere()) refuse();
      else if (character === "}") {
        this.#at++;
        return;
      } else if (character === "\\") {
        this.#at++;
        if (!this.#spanHere()) this.#at++;
      } else if (character === "'") {
        if (quoted) this.#doubtful("single quotes in a quoted `${ }`");
        this.#single();
      } else if (character === '"') {
        const inner = this.#at;
        this.#double({ text: "", plain: false, command: fresh() });
        if (quoted && this.#text.slice(inner, this.#at).includes("}"))
          this.#doubtful("a quoted `}` in a quoted `${ }`");
        this.#refuseSince(inner, "stands inside of `${ }`, where quoting differs between shells", variableHint);
      } else if (character === "`") this.#backticks();
      else if (character === "$") {
        const inner = this.#at;
        this.#dollar(quoted);
        this.#refuseSince(inner, "stands inside of `${ }`, where quoting differs between shells", variableHint);
      } else this.#at++;
    }
    this.#unclosed(start, "a `${`");
  }

  // ---------------------------------------------------------------- here-documents

  #hereDocument(stripTabs: boolean, command: Command): void {
    this.#blanks();
    let delimiter = "";
    let quoted = false;
    const start = this.#at;
    while (this.#at < this.#text.length && !wordEnd.has(this.#look())) {
      const character = this.#look();
      if (this.#spanHere()) {
        this.#refuse("is the tag of a here-document, which the shell never replaces", "write a fixed tag, such as EOF");
        this.#doubtful("the tag of a here-document");
      } else if (character === "\\") {
        quoted = true;
        delimiter += this.#look(1);
        this.#at += 2;
      } else if (character === "'" || character === '"') {
        quoted = true;
        const close = this.#text.indexOf(character, this.#at + 1);
        const end = close === -1 ? this.#text.length : close;
        const inside = this.#text.slice(this.#at + 1, end);
        delimiter += inside;
        if (/[\\$`\n]/.test(inside) || inside === "") this.#doubtful("the tag of a here-document");
        this.#skipRefusing(
          end,
          "is the tag of a here-document, which the shell never replaces",
          "write a fixed tag, such as EOF",
        );
        this.#at = end + 1;
      } else {
        if (character === "$" || character === "`") this.#doubtful("the tag of a here-document");
        delimiter += character;
        this.#at++;
      }
    }
    if (this.#at === start) this.#doubtful("a here-document without a tag");
    this.#pending.push({ delimiter, quoted, stripTabs, level: this.#level, command });
  }

  /** The bodies of the here-documents that the line before has begun. */
  #hereDocuments(): void {
    const documents = this.#pending;
    this.#pending = [];
    for (const document of documents) {
      if (document.level !== this.#level) this.#doubtful("a here-document around a `$( )` of several lines");
      this.#body(document);
    }
  }

  #body({ delimiter, quoted, stripTabs, command }: HereDocument): void {
    const start = this.#at;
    const first = this.#next;
    const note = (): void => {
      this.#inputs.push({ indices: Array.from({ length: this.#next - first }, (_, index) => first + index), command });
    };
    let continued = false;
    const body = { substituted: false };
    while (this.#at < this.#text.length) {
      const end = this.#lineEnd();
      const line = this.#text.slice(this.#at, end);
      const hasSpan = (this.#spans[this.#next]?.start ?? Infinity) < end;
      if (!hasSpan && (stripTabs ? line.replace(/^\t+/, "") : line) === delimiter) {
        if (continued) this.#doubtful("the end of a here-document after a line that ends with a backslash");
        this.#at = Math.min(end + 1, this.#text.length);
        return note();
      }
      if (quoted) {
        this.#skipRefusing(
          end,
          "stands in a here-document with a quoted tag, where the shell replaces nothing",
          `remove the quotes of the tag \`${delimiter}\`, and write \`\\$\` and \`\\\`\` for those that are to stay`,
        );
      } else this.#expandingLine(end, body);
      continued = !quoted && /(^|[^\\])(\\\\)*\\$/.test(line);
      this.#at = Math.min(end + 1, this.#text.length);
    }
    this.#unclosed(start, `the here-document \`${delimiter}\``);
  }

  /** Where the line ends; newlines within a span are the expression's. */
  #lineEnd(): number {
    let end = this.#text.indexOf("\n", this.#at);
    for (let index = this.#next; end !== -1; index++) {
      const span = this.#spans[index];
      if (span === undefined || span.start > end) break;
      if (span.end > end) end = this.#text.indexOf("\n", span.end);
    }
    return end === -1 ? this.#text.length : end;
  }

  #expandingLine(end: number, body: { substituted: boolean }): void {
    const rest = "stands in a here-document after a `$( )`, `${ }` or backquote, where its quoting cannot be relied on";
    while (this.#at < end) {
      const character = this.#look();
      if (this.#spanHere()) {
        if (body.substituted) this.#refuse(rest, variableHint);
        else this.#take({ kind: "quoted" });
      } else if (character === "\\") {
        this.#at++;
        if (this.#spanHere())
          this.#refuse("stands after a backslash, which would take its meaning", "remove the backslash");
        else if (this.#at < end) this.#at++;
      } else if (character === "$" && this.#spans[this.#next]?.start === this.#at + 1) this.#dollar(true);
      else {
        body.substituted ||= character === "`" || (character === "$" && "({[".includes(this.#look(1) || " "));
        this.#at++;
      }
    }
  }

  // ---------------------------------------------------------------- commands that read values as program text

  /** Refuses the values of a command that would be read as program text. Called when all of its words are known. */
  #judge(command: Command): void {
    const name = commandName(command.words);
    if (name === "alias" && !this.#bash) this.#doubtful("aliases");
    if (declarations.has(name) && command.words.some((word) => /^[-+][A-Za-z]*[in]/.test(word)))
      this.#hasNumbers = true;
    if (command.values.length === 0) return;
    const judge = judgeOf(command);
    for (const { index, word, prefix } of command.values) {
      if (this.#places[index]?.kind === "refused") continue;
      if (isAssignment(prefix)) this.#assigned.push(index);
      const refusal = judge(word, prefix);
      if (refusal !== undefined) this.#places[index] = { kind: "refused", ...refusal };
    }
  }
}

function append(word: Word, text: string): void {
  if (word.text.length < maxWord) word.text += text.slice(0, maxWord);
}

function fresh(): Command {
  return { words: [], values: [], list: false };
}
