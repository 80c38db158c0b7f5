/** Texts that a store must give back byte for byte, each under what it is. */
export const hostileTexts: Readonly<Record<string, string>> = {
  "an empty text": "",
  quotes: `'single' "double" \`back\``,
  SQL: "'); DROP TABLE workflows; --",
  "backslashes and escapes": String.raw`C:\new\table \u0000 \x00 %s $1 {0}`,
  "line breaks and tabs": "one\r\ntwo\nthree\tfour\u2028five\u2029",
  "space at the ends": "  padded \t ",
  "emoji and other planes": "👩‍👩‍👧‍👦 𝒳 🏳️‍🌈",
  "accents in two spellings": "é e\u0301 Å \u212b",
  "right to left": "مرحبا \u202etxet\u202c עולם",
  wildcards: "100% _under_ [a-z]* ?",
  "control characters": "\u0001\u0002\u0007\u001b[31m\u007f\u0085",
  "what looks like a number": "00123",
  "what looks like JSON": '{"__proto__":{"polluted":true}}',
  "a byte order mark": "\ufefftext",
  "non-characters": "\ufffe\uffff",
};

/** Of these, those that may be an id, a name or a key: not empty. */
export const hostileNames: readonly string[] = [
  ...Object.values(hostileTexts).filter((text) => text.trim() !== ""),
  "x".repeat(512),
  "é".repeat(256),
  "🏳".repeat(128),
];

/** Texts that not every store can hold: it gives them back whole or refuses them, and never changes them. */
export const unholdableTexts: Readonly<Record<string, string>> = {
  "a NUL": "before\u0000after",
  "a lone surrogate": "before\ud83dafter",
};
