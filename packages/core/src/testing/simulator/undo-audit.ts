import type { StateSnapshot } from "../../engine/entries.ts";
import type { Entry } from "../../engine/index.ts";

type Undo = NonNullable<Extract<Entry, { kind: "step-completed" }>["undo"]>;

interface Logged {
  readonly record: Undo["record"];
  /** Where it stands in the journal. */
  readonly place: string;
  /** Where the one before it in its saga stands, by its own word. */
  readonly previous: string | undefined;
}

/**
 * Each saga's undoing is the exact reverse of what ended in it, each once; read from what the entries say one by one, and not from
 * the chain that the engine walks (but for what a retry or a fork brings along). Gives what is wrong, or undefined.
 */
export function wrongUndoing(turns: readonly (readonly Entry[])[]): string | undefined {
  const audit = new UndoAudit();
  for (const [seq, entries] of turns.entries()) {
    for (const [index, entry] of entries.entries()) {
      const wrong = audit.read(entry, placeOf({ seq, index }));
      if (wrong !== undefined) return wrong;
    }
  }
  return undefined;
}

class UndoAudit {
  /** By saga, what ended in it and can be undone. */
  readonly #logs: Map<number, readonly Logged[]> = new Map();
  readonly #byPlace: Map<string, Logged> = new Map();
  /** Of a saga that has ended well or was stopped: what it hands over. */
  readonly #inner: Map<Undo["record"], readonly Logged[]> = new Map();
  readonly #expected: Map<number, readonly number[]> = new Map();
  readonly #undone: Map<number, number[]> = new Map();
  /** Sagas that a retry or a fork has brought along in the middle of their undoing. */
  readonly #midway: Set<number> = new Set();

  read(entry: Entry, place: string): string | undefined {
    if ("undo" in entry && entry.undo !== undefined) this.#log(entry.undo, place);
    switch (entry.kind) {
      case "undo-started": {
        const own = entry.own === undefined ? [] : [entry.own.pointer];
        this.#expected.set(entry.pointer, [...this.#flat(this.#logs.get(entry.pointer) ?? []), ...own]);
        this.#undone.set(entry.pointer, []);
        this.#midway.delete(entry.pointer);
        this.#logs.delete(entry.pointer);
        return undefined;
      }
      case "undo-completed":
        return this.#completed(entry);
      case "undo-ended":
        return this.#ended(entry.pointer);
      case "workflow-retried":
      case "workflow-forked":
        this.#wentBack(entry.state);
        return undefined;
      default:
        return undefined;
    }
  }

  #log({ saga, record, previous }: Undo, place: string): void {
    const logged = { record, place, previous: previous === null ? undefined : placeOf(previous) };
    this.#byPlace.set(place, logged);
    this.#logs.set(saga, [...(this.#logs.get(saga) ?? []), logged]);
    if (record.inner != null) this.#inner.set(record, this.#logs.get(record.pointer) ?? []);
  }

  #flat(log: readonly Logged[]): readonly number[] {
    return log
      .toReversed()
      .flatMap(({ record }) => [...this.#flat(this.#inner.get(record) ?? []), ...(record.own ? [record.pointer] : [])]);
  }

  #completed({ pointer, undone, undoneStep }: Extract<Entry, { kind: "undo-completed" }>): string | undefined {
    if (this.#midway.has(pointer)) return undefined;
    const got = this.#undone.get(pointer) ?? [];
    const wanted = this.#expected.get(pointer)?.[got.length];
    got.push(undone);
    if (wanted === undone) return undefined;
    return `saga ${pointer} undid execution ${undone} (\`${undoneStep}\`) where ${String(wanted)} was next`;
  }

  #ended(pointer: number): string | undefined {
    if (this.#midway.delete(pointer)) return undefined;
    const got = this.#undone.get(pointer) ?? [];
    const wanted = this.#expected.get(pointer) ?? [];
    return got.length === wanted.length ? undefined : `saga ${pointer} undid ${got.join(", ")} of ${wanted.join(", ")}`;
  }

  /** What was undone is behind it; what a live saga's chain still names is to be undone when that saga fails. */
  #wentBack({ pointers }: StateSnapshot): void {
    this.#logs.clear();
    this.#midway.clear();
    for (const { id, scope } of pointers.values()) {
      if (scope?.walk != null) {
        // What its chain names is what it is undoing: none of that is left when it begins again.
        this.#midway.add(id);
        continue;
      }
      const left = new Set((scope?.void ?? []).map(placeOf));
      const log: Logged[] = [];
      let at = scope?.undo == null ? undefined : this.#byPlace.get(placeOf(scope.undo));
      for (; at !== undefined; at = at.previous === undefined ? undefined : this.#byPlace.get(at.previous))
        if (!left.has(at.place)) log.unshift(at);
      if (log.length > 0) this.#logs.set(id, log);
    }
  }
}

function placeOf({ seq, index }: { readonly seq: number; readonly index: number }): string {
  return `${seq}.${index}`;
}
