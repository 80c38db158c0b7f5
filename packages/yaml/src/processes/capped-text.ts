/** A text of which only beginning and end are kept. */
export interface CappedText {
  add(piece: string): void;
  /** The text; where it was too long, its beginning and end, with a line between that says how much is missing. */
  text(): string;
  /** Whether something is missing. */
  readonly cut: boolean;
}

/**
 * Keeps `limit` UTF-16 units of what is added: the first half and the last. Memory is bounded by it, whatever is added.
 *
 * The cut is made between pieces, so that who adds lines loses whole lines; only a piece longer than a half is cut itself.
 */
export function cappedText(limit: number): CappedText {
  const half = Math.floor(limit / 2);
  let head = "";
  let headFull = false;
  let tail: string[] = [];
  let first = 0;
  let tailLength = 0;
  let lost = 0;

  const shorten = (): void => {
    for (; tailLength > half && tail.length - first > 1; first++) {
      const { length } = tail[first] ?? "";
      tailLength -= length;
      lost += length;
    }
    if (first > 1024 && first * 2 > tail.length) {
      tail = tail.slice(first);
      first = 0;
    }
  };

  return {
    add: (piece) => {
      if (!headFull && head.length + piece.length <= half) {
        head += piece;
        return;
      }
      headFull = true;
      tail.push(piece);
      tailLength += piece.length;
      shorten();
    },
    text: () => {
      const rest = tail.slice(first).join("");
      const from = rest.length <= half ? 0 : rest.length - half;
      // Not between the halves of a character.
      const kept = rest.slice(from).replace(/^[\uDC00-\uDFFF]/, "");
      const missing = lost + rest.length - kept.length;
      if (missing === 0) return head + kept;
      return `${head}${head === "" || head.endsWith("\n") ? "" : "\n"}[... ${missing} characters are left out here; the step's live output has them ...]\n${kept}`;
    },
    get cut() {
      return lost > 0 || tailLength > half;
    },
  };
}
