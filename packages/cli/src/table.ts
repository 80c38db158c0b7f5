/** Columns of text, as wide as they need to be. */
export function table(head: readonly string[], given: readonly (readonly string[])[]): string {
  // A name may hold anything, and a row is one line.
  const rows = given.map((row) => row.map((cell) => cell.replaceAll("\n", "␊").replaceAll("\t", "␉")));
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? "").length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd();
  return `${[head, ...rows].map(line).join("\n")}\n`;
}
