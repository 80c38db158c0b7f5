import { isFinal } from "../../engine/index.ts";
import type { PersistenceProvider, Run, StoredEvent, WorkflowRow } from "../../providers/index.ts";
import type { JournalAudit } from "./journal-audit.ts";
import { placeOf } from "./place-of.ts";
import { eventKeys, type Plan } from "./plan.ts";
import { eventNames } from "./sketch.ts";
import type { Verdict } from "./verdict.ts";

/** More events of one stream than a schedule can have. */
const manyEvents = 10_000;

export interface RetentionAuditOptions {
  readonly real: PersistenceProvider;
  readonly verdict: Verdict;
  readonly plan: Pick<Plan, "namespaces" | "retention">;
  /** The store's time; undefined once it has jumped. */
  readonly storeNow: () => number | undefined;
  readonly rows: () => Promise<readonly WorkflowRow[]>;
  readonly journal: (run: Run) => JournalAudit;
  readonly tell: (line: () => string) => void;
}

/** Looks at what retention deletes: what has ended long enough ago, what is old enough, and nothing else. */
export class RetentionAudit {
  /** Workflows that were deleted. */
  readonly workflows: Set<Run> = new Set();
  /** Events that were deleted, by namespace and id. */
  readonly events: Set<string> = new Set();
  readonly #options: RetentionAuditOptions;
  /** The deleted events of each stream, in order. */
  readonly #streams: Map<string, StoredEvent[]> = new Map();

  constructor(options: RetentionAuditOptions) {
    this.#options = options;
  }

  /** What was deleted of a stream. */
  deleted(namespace: string, name: string, key: string): readonly StoredEvent[] {
    return this.#streams.get(streamPlace(namespace, name, key)) ?? [];
  }

  async purge(bounds: Parameters<PersistenceProvider["purge"]>[0]): ReturnType<PersistenceProvider["purge"]> {
    const { real, rows } = this.#options;
    this.#boundsAreDue(bounds);
    const rowsBefore = await rows();
    const eventsBefore = await this.#allEvents();
    const gone = await real.purge(bounds);
    const left = new Set((await rows()).map(({ run }) => run));
    const there = new Set(rowsBefore.map(({ run }) => run));
    for (const row of rowsBefore) {
      if (left.has(row.run)) continue;
      this.#workflowGone(row, bounds.workflowsBefore);
      if (row.status !== "completed" && row.parent !== null && there.has(row.parent.run))
        this.#fail(`a child is deleted that is ${row.status}, and a retry of its parent would go on in it`);
    }
    const eventsAfter = await this.#allEvents();
    for (const [place, events] of eventsBefore) {
      const kept = new Set(eventsAfter.get(place)?.map(({ number }) => number));
      for (const event of events) if (!kept.has(event.number)) this.#eventGone(place, event, bounds.eventsBefore);
    }
    return gone;
  }

  #boundsAreDue({ workflowsBefore, eventsBefore }: Parameters<PersistenceProvider["purge"]>[0]): void {
    const { plan, storeNow } = this.#options;
    const now = storeNow();
    const check = (what: string, before: number | undefined, keptMs: number | undefined): void => {
      if (before === undefined) return;
      if (keptMs === undefined) return this.#fail(`${what} are deleted, which are to be kept for ever`);
      if (now !== undefined && before > now - keptMs)
        this.#fail(`${what} are deleted that are ${now - before} ms old, and are to be kept for ${keptMs} ms`);
    };
    check("workflows", workflowsBefore, plan.retention.workflows);
    check("events", eventsBefore, plan.retention.events);
  }

  #workflowGone(row: WorkflowRow, before: number | undefined): void {
    const { journal, tell } = this.#options;
    const { label, state } = journal(row.run);
    tell(() => `store: ${label} is deleted`);
    this.workflows.add(row.run);
    if (!isFinal(state)) return this.#fail(`${label} is deleted, and is ${state.phase} by its journal`);
    if (row.owner !== null || row.dueAt !== null)
      return this.#fail(
        `${label} is deleted, and somebody has it in hand, or is to take it: something has come for it`,
      );
    if (before === undefined || (row.completedAt ?? Number.POSITIVE_INFINITY) >= before)
      this.#fail(`${label} is deleted, and ended at ${row.completedAt}, not before ${before}`);
  }

  #eventGone(place: string, event: StoredEvent, before: number | undefined): void {
    const [namespace = ""] = place.split("\0");
    this.events.add(placeOf(namespace, event.eventId));
    const gone = this.#streams.get(place) ?? [];
    this.#streams.set(place, gone);
    this.#options.tell(() => `store: event ${event.number} of ${event.name}/${event.key} is deleted`);
    if (before === undefined || event.at >= before)
      this.#fail(`event ${event.eventId} is deleted, and came at ${event.at}, not before ${before}`);
    if (event.number !== (gone.at(-1)?.number ?? 0) + 1)
      this.#fail(`event ${event.number} of ${event.name}/${event.key} is deleted before earlier ones`);
    gone.push(event);
  }

  async #allEvents(): Promise<Map<string, readonly StoredEvent[]>> {
    const found = new Map<string, readonly StoredEvent[]>();
    for (const namespace of this.#options.plan.namespaces) {
      const streams = eventNames.flatMap((name) =>
        eventKeys.map((key) => ({ name, key, after: 0, since: 0, limit: manyEvents })),
      );
      const [pulled] = await this.#options.real.pull([{ run: 0, namespace, streams }]);
      for (const [index, { name, key }] of streams.entries())
        found.set(streamPlace(namespace, name, key), pulled?.events[index]?.events ?? []);
    }
    return found;
  }

  #fail(message: string): void {
    this.#options.verdict.fail("what is within retention stays", message);
  }
}

function streamPlace(namespace: string, name: string, key: string): string {
  return `${namespace}\0${name}\0${key}`;
}
