import { decodeEntries, type Entry } from "../../packages/core/src/engine/index.ts";
import type { Driver } from "../../packages/core/test/engine/driver.ts";

/** An event that a line of control read. */
export interface Consumed {
  readonly line: number;
  readonly stream: string;
  readonly number: number;
}

/** What must hold of any journal of a workflow that has ended, whatever it means. Throws what does not. */
export function checkJournal(driver: Driver, consumed: readonly Consumed[]): void {
  const turns = driver.journal.map((turn) => ({ seq: turn.seq, entries: decodeEntries(turn.text) }));
  const entries = turns.flatMap((turn) => turn.entries);
  turns.forEach((turn, index) => {
    if (turn.seq !== index) throw new Error(`turn ${index} has seq ${turn.seq}`);
  });
  endsOnce(entries);
  undoesInReverse(entries);
  readsInOrder(consumed);
}

function endsOnce(entries: readonly Entry[]): void {
  const ended = new Set<number>();
  for (const entry of entries) {
    if (entry.kind !== "step-completed" && entry.kind !== "step-failed" && entry.kind !== "step-skipped") continue;
    if (ended.has(entry.pointer)) throw new Error(`execution ${entry.pointer} of ${entry.step} ended twice`);
    ended.add(entry.pointer);
  }
}

type Undo = NonNullable<Extract<Entry, { kind: "step-completed" }>["undo"]>;

/** Each saga's undoing is the exact reverse of what ended in it, read from the records alone and not from their chain. */
function undoesInReverse(entries: readonly Entry[]): void {
  const logs = new Map<number, Undo["record"][]>();
  const undone = new Map<number, number[]>();
  const inner = new Map<Undo["record"], Undo["record"][]>();
  const flat = (records: readonly Undo["record"][]): number[] =>
    records.toReversed().flatMap((one) => [...flat(inner.get(one) ?? []), ...(one.own ? [one.pointer] : [])]);
  const expected = new Map<number, number[]>();
  for (const entry of entries) {
    if ("undo" in entry && entry.undo !== undefined) {
      const { saga, record } = entry.undo;
      logs.set(saga, [...(logs.get(saga) ?? []), record]);
      // A saga that ends well, or is stopped, hands its own over as one.
      if (record.inner != null) inner.set(record, logs.get(record.pointer) ?? []);
    }
    if (entry.kind === "undo-started") {
      expected.set(entry.pointer, [
        ...flat(logs.get(entry.pointer) ?? []),
        ...(entry.own === undefined ? [] : [entry.own.pointer]),
      ]);
      undone.set(entry.pointer, []);
      logs.delete(entry.pointer);
    }
    if (entry.kind === "undo-completed") undone.get(entry.pointer)?.push(entry.undone);
    if (entry.kind === "undo-ended") {
      const [got, wanted] = [undone.get(entry.pointer) ?? [], expected.get(entry.pointer) ?? []];
      if (got.join() !== wanted.join())
        throw new Error(`undid ${got.join()}, what ended was ${wanted.join()} backwards`);
    }
  }
}

function readsInOrder(consumed: readonly Consumed[]): void {
  const read = new Map<string, number>();
  for (const { line, stream, number } of consumed) {
    const last = read.get(`${line} ${stream}`) ?? 0;
    if (number <= last) throw new Error(`line ${line} read event ${number} of ${stream} after ${last}`);
    read.set(`${line} ${stream}`, number);
  }
}
