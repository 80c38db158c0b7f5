/** Bits of a document's number that count within a millisecond. */
export const placeBits = 20;
const lastBucket = 2 ** (62 - placeBits);

/** The part of a document's number that its time gives. Times that do not fit share the first or the last one. */
export function bucketOf(time: number): number {
  return Math.min(Math.max(Math.floor(time), 0), lastBucket);
}

const plain = /^[a-z0-9=\u0080-\ud7ff\ue000-\u{10ffff}]*$/u;
const other = /[^a-z0-9=\u0080-\ud7ff\ue000-\u{10ffff}]/gu;

/**
 * A term as one token of FTS5's tokenizer `ascii` with `=` and `_`, which takes all that is not ASCII as it is: capitals, which it
 * would fold, and all that would part it are written as `_` and their code point.
 */
function tokenOf(term: string): string {
  return plain.test(term) ? term : term.replaceAll(other, (unit) => `_${unit.codePointAt(0)?.toString(16)}_`);
}

/** What is indexed of a document. */
export function termText(namespace: string, terms: readonly string[]): string {
  return [namespaceTerm(namespace), ...terms.map(tokenOf)].join(" ");
}

/** The query of FTS5 for all of these terms and, of each list, one. */
export function matchText(namespace: string, all: readonly string[], any: readonly (readonly string[])[]): string {
  const parts = [
    `"${namespaceTerm(namespace)}"`,
    ...all.map((term) => `"${tokenOf(term)}"`),
    ...any.map((some) => `(${some.map((term) => `"${tokenOf(term)}"`).join(" OR ")})`),
  ];
  return parts.join(" AND ");
}

/** A `=` in front, which no term of a document has. */
function namespaceTerm(namespace: string): string {
  return `=${tokenOf(namespace)}`;
}
