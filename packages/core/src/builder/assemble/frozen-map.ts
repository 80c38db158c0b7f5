import { InvalidOptionError } from "../../errors.ts";

/** A map that cannot be changed: freezing one keeps only its properties, not its entries. */
export function frozenMap<Key, Value>(entries: Iterable<readonly [Key, Value]>): ReadonlyMap<Key, Value> {
  const refuse = (): never => {
    throw new InvalidOptionError("a definition cannot be changed after it was built: build another one");
  };
  return Object.freeze(Object.assign(new Map(entries), { set: refuse, delete: refuse, clear: refuse }));
}
