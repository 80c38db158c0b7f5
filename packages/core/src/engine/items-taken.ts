import type { ReadTurn } from "./failures.ts";

/** How many items each execution of a `forEach` took, by its pointer. */
export function itemsTaken(turns: readonly ReadTurn[]): ReadonlyMap<number, number> {
  const taken = new Map<number, number>();
  for (const { entries } of turns) {
    for (const entry of entries) {
      if (entry.kind === "scope-opened" && entry.node === "for-each")
        taken.set(entry.pointer, entry.items?.length ?? 0);
      // What came before a fork is in its first entry alone; and a retry gives new ids.
      else if (entry.kind === "workflow-forked" || entry.kind === "workflow-retried") {
        for (const { id, kind, scope } of entry.state.pointers.values())
          if (kind === "for-each" && scope !== null) taken.set(id, scope.items.length);
      }
    }
  }
  return taken;
}
