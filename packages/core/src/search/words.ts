/** Longer words are cut, in documents and in queries alike: a word of this length finds all that begin so. */
export const longestWord = 128;

const asciiText = /^[\0-\x7f]*$/;
const asciiWord = /[a-z0-9]+/g;
// A mark (an accent, a vowel sign) belongs to the letter before it.
const anyWord = /[\p{L}\p{N}][\p{L}\p{N}\p{M}]*/gu;

/**
 * The words of a text, in order: runs of letters and digits, in any script, without regard to case. Nothing is stemmed.
 *
 * Forms that look the same are the same (NFKC: `ﬁ` is `fi`, full-width digits are digits); `Straße` is `STRASSE`.
 */
export function wordsOf(text: string): readonly string[] {
  if (asciiText.test(text)) return (text.toLowerCase().match(asciiWord) ?? []).map(cut);
  return (text.normalize("NFKC").match(anyWord) ?? []).map((word) => cut(fold(word)));
}

/** Word by word: how some letters fold depends on their neighbours (the final sigma), and those are to be the same in a query. */
function fold(word: string): string {
  // There and back again: what has no capital of its own (`ß`, `ſ`) becomes what others write in capitals. Down first: `ẞ` is one.
  return word.toLowerCase().toUpperCase().toLowerCase().normalize("NFC");
}

function cut(word: string): string {
  if (word.length <= longestWord) return word;
  // Not within a character.
  return word
    .slice(0, longestWord)
    .toWellFormed()
    .replace(/\ufffd$/u, "");
}
