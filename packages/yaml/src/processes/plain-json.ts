/** JSON of a value, with those that JSON does not know as the nearest it does: maps as objects, sets as lists, bytes as base64. */
export function plainJson(value: unknown): string | undefined {
  return JSON.stringify(value, plain);
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return value;
}
