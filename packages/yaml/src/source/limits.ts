/** Of what a file may hold; all of them are far beyond what people write. */
export const limits = {
  /** UTF-16 units of one file. */
  fileLength: 1_048_576,
  /** UTF-16 units of one text. */
  scalarLength: 262_144,
  /** Values and keys of one file, repeated ones counted as often as they are repeated. */
  values: 10_000,
  /** Maps and lists within one another. */
  depth: 100,
  /** Files that include one another. */
  files: 100,
} as const;
