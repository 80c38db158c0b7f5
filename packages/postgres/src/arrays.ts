import type { DefinitionRef } from "@wfe/core/providers";

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

/** Quoted as JSON does it, which is built in and several times as fast, where JSON would escape nothing else. */
function quoted(text: string): string {
  return others.test(text) ? `"${text.replaceAll(special, String.raw`\$&`)}"` : JSON.stringify(text);
}

const special = /["\\]/g;
// oxlint-disable-next-line no-control-regex -- those are what JSON escapes
const others = /[\u0000-\u001f\ud800-\udfff]/;

/** Their ids, versions and hashes, as `text[]`, `bigint[]` and `text[]`. */
export function definitionArrays(definitions: readonly DefinitionRef[]): readonly [string, string, string] {
  return [
    arrayOf(definitions.map(({ id }) => id)),
    arrayOf(definitions.map(({ version }) => version)),
    arrayOf(definitions.map(({ hash = null }) => hash)),
  ];
}
