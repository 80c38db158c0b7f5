/**
 * Dates, maps and sets that refuse to be changed. `Object.freeze` does not reach what they hold, so their mutators throw.
 *
 * They differ from ordinary ones in their prototype only, whose `constructor` is the ordinary one: `instanceof`,
 * structuredClone, `util.isDeepStrictEqual` and `toStrictEqual` see no difference.
 */

class ImmutableDate extends Date {}
class ImmutableMap extends Map<unknown, unknown> {}
class ImmutableSet extends Set<unknown> {}

disguise(ImmutableDate, Date, (method) => method.startsWith("set"));
disguise(ImmutableMap, Map, (method) => /^(set|delete|clear|getOrInsert.*)$/.test(method));
disguise(ImmutableSet, Set, (method) => /^(add|delete|clear)$/.test(method));

/** An immutable date; NaN gives an invalid one. */
export function immutableDate(time: number): Date {
  return new ImmutableDate(time);
}

/** An empty map, which `putInMap` fills. */
export function immutableMap(): Map<unknown, unknown> {
  return new ImmutableMap();
}

/** An empty set, which `putInSet` fills. */
export function immutableSet(): Set<unknown> {
  return new ImmutableSet();
}

export function putInMap(map: Map<unknown, unknown>, key: unknown, value: unknown): void {
  Map.prototype.set.call(map, key, value);
}

export function putInSet(set: Set<unknown>, value: unknown): void {
  Set.prototype.add.call(set, value);
}

function disguise(
  immutable: { prototype: object },
  ordinary: DateConstructor | MapConstructor | SetConstructor,
  mutates: (method: string) => boolean,
): void {
  define(immutable.prototype, "constructor", ordinary);
  for (const method of Object.getOwnPropertyNames(ordinary.prototype)) {
    if (mutates(method)) define(immutable.prototype, method, () => refuseMutation(ordinary.name, method));
  }
  Object.freeze(immutable.prototype);
}

function define(prototype: object, key: string, value: unknown): void {
  Object.defineProperty(prototype, key, { value, writable: true, configurable: true, enumerable: false });
}

function refuseMutation(type: string, method: string): never {
  throw new TypeError(
    `cannot call \`${method}\`: this ${type} belongs to the workflow and does not change in place; ` +
      `copy it (\`new ${type}(value)\`), change the copy, and return it from the step or in a patch`,
  );
}
