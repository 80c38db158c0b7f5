/** One `${{ ... }}` in a text. */
export interface Placeholder {
  /** Offset of its `$`. */
  readonly start: number;
  /** Offset after its last `}`. */
  readonly end: number;
  /** What stands between the braces, trimmed. */
  readonly expression: string;
  /** Offset of the expression's first character. */
  readonly expressionStart: number;
}

/** A `${{` without its `}}`. */
export interface OpenPlaceholder {
  readonly start: number;
}

/**
 * All placeholders of a text, in order, and the first one that is never closed.
 *
 * `}}` within a quoted text of the expression closes nothing, nor does one that closes a map: braces are counted. Costs one pass.
 */
export function findPlaceholders(text: string): {
  readonly placeholders: readonly Placeholder[];
  readonly open?: OpenPlaceholder;
} {
  const placeholders: Placeholder[] = [];
  for (let start = text.indexOf("${{"); start !== -1;) {
    const close = closingOf(text, start + 3);
    if (close === -1) return { placeholders, open: { start } };
    const inside = text.slice(start + 3, close);
    const expression = inside.trim();
    const expressionStart = start + 3 + inside.indexOf(expression);
    placeholders.push({ start, end: close + 2, expression, expressionStart });
    start = text.indexOf("${{", close + 2);
  }
  return { placeholders };
}

/** Offset of the `}}` that closes what begins at `from`, or -1. */
function closingOf(text: string, from: number): number {
  let depth = 0;
  let quote = "";
  for (let at = from; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote !== "") {
      if (character === "\\") at++;
      else if (character === quote) quote = "";
    } else if (character === '"' || character === "'") quote = character;
    else if (character === "{") depth++;
    else if (character === "}" && depth > 0) depth--;
    else if (character === "}" && text[at + 1] === "}") return at;
  }
  return -1;
}
