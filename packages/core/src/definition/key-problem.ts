const mostBytes = 512;

/** Why no store can keep this as a key or a name, as the end of a sentence; undefined when every store can. */
export function keyProblem(key: unknown): string | undefined {
  if (typeof key !== "string") return `must be text, got ${typeof key}`;
  if (key.includes("\0")) return "must not contain NUL";
  if (!key.isWellFormed()) return "must not contain half of a surrogate pair: do not cut text inside a character";
  const bytes = Buffer.byteLength(key);
  return bytes > mostBytes ? `must have at most ${mostBytes} bytes, got ${bytes}` : undefined;
}
