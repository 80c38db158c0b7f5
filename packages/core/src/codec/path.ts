/** One step of the way to a value: a key of an object, an index of an array, or a member of a map or set. */
export type Segment = string | number | symbol | MemberSegment;

export interface MemberSegment {
  readonly of: "map-key" | "map-value" | "set";
  readonly key: unknown;
  /** Its position in the order of insertion. */
  readonly index: number;
}

/** `data.items[3].onDone`, `data["odd key"]`, `data.map.get("x")`. Only built when something is wrong. */
export function formatPath(root: string, segments: readonly Segment[]): string {
  let path = root;
  for (const segment of segments) path += formatSegment(segment);
  return path;
}

/** A path for a message, which must not grow with the depth of the value. */
export function shorten(path: string): string {
  return path.length <= 400 ? path : `${path.slice(0, 200)} … ${path.slice(-200)}`;
}

function formatSegment(segment: Segment): string {
  if (typeof segment === "object") return formatMember(segment);
  if (typeof segment !== "string") return `[${String(segment)}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(segment) ? `.${abbreviate(segment)}` : `[${quote(segment)}]`;
}

function formatMember({ of, key, index }: MemberSegment): string {
  if (of === "map-key") return `.keys()[${index}]`;
  if (of === "set" || (typeof key === "object" && key !== null)) return `.values()[${index}]`;
  if (typeof key === "string") return `.get(${quote(key)})`;
  return `.get(${String(key)}${typeof key === "bigint" ? "n" : ""})`;
}

function quote(text: string): string {
  return JSON.stringify(abbreviate(text));
}

/** A key can be megabytes long; an error must not be. */
function abbreviate(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`;
}
