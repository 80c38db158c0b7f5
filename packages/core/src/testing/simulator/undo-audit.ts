import type { Entry } from "../../engine/index.ts";

type Undo = NonNullable<Extract<Entry, { kind: "step-completed" }>["undo"]>;

/**
 * Each saga's undoing is the exact reverse of what ended in it, each once; read from what the entries say one by one, and not from
 * the chain that the engine walks. Gives what is wrong, or undefined.
 */
export function wrongUndoing(entries: readonly Entry[]): string | undefined {
  const logs = new Map<number, Undo["record"][]>();
  const inner = new Map<Undo["record"], Undo["record"][]>();
  const expected = new Map<number, readonly number[]>();
  const undone = new Map<number, number[]>();
  const midway = new Set<number>();
  const flat = (records: readonly Undo["record"][]): number[] =>
    records.toReversed().flatMap((one) => [...flat(inner.get(one) ?? []), ...(one.own ? [one.pointer] : [])]);
  for (const entry of entries) {
    if ("undo" in entry && entry.undo !== undefined) {
      const { saga, record } = entry.undo;
      logs.set(saga, [...(logs.get(saga) ?? []), record]);
      // A saga that ends well, or is stopped, hands its own over as one.
      if (record.inner != null) inner.set(record, logs.get(record.pointer) ?? []);
    }
    switch (entry.kind) {
      case "undo-started": {
        const own = entry.own === undefined ? [] : [entry.own.pointer];
        expected.set(entry.pointer, [...flat(logs.get(entry.pointer) ?? []), ...own]);
        undone.set(entry.pointer, []);
        midway.delete(entry.pointer);
        logs.delete(entry.pointer);
        break;
      }
      case "undo-completed": {
        if (midway.has(entry.pointer)) break;
        const got = undone.get(entry.pointer) ?? [];
        const wanted = expected.get(entry.pointer)?.[got.length];
        if (wanted !== entry.undone)
          return `saga ${entry.pointer} undid execution ${entry.undone} (\`${entry.undoneStep}\`) where ${String(wanted)} was next`;
        got.push(entry.undone);
        break;
      }
      case "undo-ended": {
        if (midway.delete(entry.pointer)) break;
        const got = undone.get(entry.pointer) ?? [];
        const wanted = expected.get(entry.pointer) ?? [];
        if (got.length !== wanted.length)
          return `saga ${entry.pointer} undid ${got.join(", ")} of ${wanted.join(", ")}`;
        break;
      }
      case "workflow-retried":
      case "workflow-forked":
        // It goes back behind what was undone; what stands before that point was undone, or is not to be. And it may be in the
        // middle of an undoing that began elsewhere.
        logs.clear();
        midway.clear();
        for (const { id, scope } of entry.state.pointers.values()) if (scope?.walk != null) midway.add(id);
        break;
      default:
    }
  }
  return undefined;
}
