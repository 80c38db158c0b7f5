type Value = string | number | boolean | null;

/**
 * An array as PostgreSQL writes it, to be cast where it is used: as text it passes through every driver unchanged, whatever
 * that makes of arrays.
 */
export function arrayOf(values: readonly Value[]): string {
  let text = "{";
  for (let place = 0; place < values.length; place += 1) {
    if (place > 0) text += ",";
    const value = values[place];
    if (typeof value === "string") text += quoted(value);
    else text += value === null ? "NULL" : String(value);
  }
  return `${text}}`;
}

function quoted(text: string): string {
  return `"${text.replaceAll(special, String.raw`\$&`)}"`;
}

const special = /["\\]/g;
