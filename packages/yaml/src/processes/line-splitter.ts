/** A line, or a piece of one that is longer than the limit. */
export type OnLine = (line: string) => void;

/** Makes lines of bytes. */
export interface LineSplitter {
  push(chunk: Buffer): void;
  /** Gives what has no newline at its end. */
  end(): void;
}

/**
 * Calls `onLine` with each line, its newline included, so that all calls together give the whole text. A line of more than
 * `limitBytes` comes in pieces, cut between characters. Bytes that are no UTF-8 become U+FFFD. Holds at most one line.
 */
export function splitLines(onLine: OnLine, limitBytes = 64 * 1024): LineSplitter {
  let held: Buffer[] = [];
  let heldBytes = 0;

  const emit = (bytes: Buffer): void => {
    const all = heldBytes === 0 ? bytes : Buffer.concat([...held, bytes]);
    held = [];
    heldBytes = 0;
    let from = 0;
    while (all.length - from > limitBytes) {
      const to = characterStart(all, from + limitBytes);
      onLine(all.toString("utf8", from, to));
      from = to;
    }
    if (all.length > from) onLine(all.toString("utf8", from));
  };
  const hold = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    held.push(bytes);
    heldBytes += bytes.length;
    if (heldBytes <= limitBytes) return;
    const all = Buffer.concat(held);
    let from = 0;
    while (all.length - from > limitBytes) {
      const to = characterStart(all, from + limitBytes);
      onLine(all.toString("utf8", from, to));
      from = to;
    }
    held = [all.subarray(from)];
    heldBytes = all.length - from;
  };

  return {
    push: (chunk) => {
      let from = 0;
      for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
        // The usual line at once, without a view of its bytes.
        if (heldBytes === 0 && at - from < limitBytes) onLine(chunk.toString("utf8", from, at + 1));
        else emit(chunk.subarray(from, at + 1));
        from = at + 1;
      }
      hold(chunk.subarray(from));
    },
    end: () => {
      if (heldBytes > 0) emit(Buffer.alloc(0));
    },
  };
}

/** The last start of a character at or before `at`; `at` itself where these bytes are no UTF-8. */
function characterStart(bytes: Buffer, at: number): number {
  for (let start = at; start > at - 4; start--) if (((bytes[start] ?? 0) & 0xc0) !== 0x80) return start;
  return at;
}
