import { encode } from "../../codec/index.ts";
import {
  awaitedStreams,
  journalNeeded,
  nextDueAt,
  projectionOf,
  readyPointers,
  wantsContinue,
  type WorkflowState,
} from "../../engine/index.ts";
import type { PersistenceProvider, WorkflowRow } from "../../providers/index.ts";
import { hasEnded, type StoreAudit } from "./store-audit.ts";
import type { Verdict } from "./verdict.ts";

/** Looks at rows that nobody has in hand: what they say, and why they rest. */
export class Inspection {
  readonly #audit: StoreAudit;
  readonly #store: PersistenceProvider;
  readonly #verdict: Verdict;
  readonly #setBackMs: () => number;

  /** `setBackMs`: how far the store's clock has been set back: what is due since before that is due later by it. */
  constructor(audit: StoreAudit, store: PersistenceProvider, verdict: Verdict, setBackMs: () => number) {
    this.#audit = audit;
    this.#store = store;
    this.#verdict = verdict;
    this.#setBackMs = setBackMs;
  }

  /** Any moment between two calls of the store will do: what is owed to a resting workflow is in its row already. */
  async look(rows: readonly WorkflowRow[]): Promise<void> {
    // Waiters that are still to be woken, and events about to happen, are the store's to see to.
    const soon = await this.#store.nextDueAt([]);
    const now = await this.#store.now();
    const wakesOthers = soon !== null && soon <= now;
    for (const row of rows) {
      if (row.owner !== null) continue;
      this.#asTheJournalSays(row);
      if (row.dueAt === null || row.dueAt > now + this.#setBackMs()) await this.#reason(row, wakesOthers);
    }
  }

  #asTheJournalSays(row: WorkflowRow): void {
    const journal = this.#audit.journal(row.run);
    // One that has not been in anybody's hand has the row it was made with, also where a dead host had it.
    if (journal.state.seq < 0) return;
    const { status } = projectionOf(journal.state);
    const put = row.status === "suspended" && journal.state.phase === "active";
    // Whoever takes it next writes the row anew. One that has ended moves on by a call, which is read under a claim of its own.
    const moved = row.dueAt !== null && (!hasEnded(row) || journal.claim < row.claim);
    if (put && !moved)
      return this.#verdict.fail("the product does not break", `${row.id} was put aside: ${row.errorText}`);
    if (row.status !== status && !moved)
      return this.#verdict.fail(
        "the row says what the journal says",
        `${row.id} is ${row.status} by its row, ${status} by its journal`,
      );
    if (status === "completed" && row.status === status && row.resultText !== encode(journal.state.data))
      this.#verdict.fail(
        "the row says what the journal says",
        `${row.id} has ended with ${encode(journal.state.data)}, and its row has ${row.resultText}`,
      );
  }

  async #reason(row: WorkflowRow, wakesOthers: boolean): Promise<void> {
    const { state } = this.#audit.journal(row.run);
    const fail = (message: string): void =>
      this.#verdict.fail("nobody waits without a reason", `${row.id} rests, and ${message}`);
    // One that is to start later is due then.
    if (state.seq < 0) return row.dueAt === null ? fail("has not begun") : undefined;
    const awaited = awaitedStreams(state);
    const streams = awaited.map(({ name, key, after, since }) => ({ name, key, after, since, limit: 1 }));
    const [pulled] = await this.#store.pull([{ run: row.run, namespace: row.namespace, streams }]);
    if (pulled === undefined) return;
    if (pulled.deliveries.length > 0) return fail(`call ${pulled.deliveries[0]?.number} is unread`);
    const wants = whatItWants(state, row.dueAt);
    if (wants !== undefined) return fail(wants);
    if (wakesOthers) return;
    const place = pulled.events.findIndex(({ events }) => events.length > 0);
    const event = pulled.events[place]?.events[0];
    if (event !== undefined)
      fail(`event ${event.number} of ${event.name}/${event.key} is there, beyond ${awaited[place]?.after}`);
  }
}

/** What a state that is not in hand, nor due before `rowDueAt`, should be in hand for. */
function whatItWants(state: WorkflowState, rowDueAt: number | null): string | undefined {
  const [ready] = readyPointers(state);
  if (ready !== undefined) return `step \`${state.pointers.get(ready)?.step}\` is ready`;
  const dueAt = nextDueAt(state);
  if (dueAt !== null && (rowDueAt === null || dueAt < rowDueAt))
    return `it is due at ${dueAt}, and its row says ${rowDueAt ?? "never"}`;
  if (journalNeeded(state).length > 0) return "it is undoing";
  return wantsContinue(state, Number.POSITIVE_INFINITY) ? "it wants to go on" : undefined;
}
