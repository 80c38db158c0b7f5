import { handOut, type StoredPatch } from "../../codec/index.ts";
import { decodeEntries, type Entry, type EntryKind, type StoredError } from "../../engine/index.ts";
import { InvalidOptionError, WorkflowNotFoundError } from "../../errors.ts";
import type { StoredTurn, WaitingFor, WorkflowRow } from "../../providers/records.ts";
import type { ClientShared } from "./client-shared.ts";
import { turnTimes, type TurnTime } from "./imported.ts";
import { checkId } from "./names.ts";
import { openings, type FoundEntry } from "./openings.ts";
import { checkPage } from "./pages.ts";
import type { Page, PageOptions } from "./workflow-views.ts";

/**
 * One fact of a workflow's history. Which fields are there depends on `kind`; values are frozen.
 *
 * Facts that were stored together, by one turn, share its `seq`; there is no gap from 0 to the last.
 */
export interface HistoryItem {
  readonly seq: number;
  /** When the turn was stored: milliseconds since the epoch, by the store's clock. */
  readonly at: number;
  /** What happened, in kebab case: `workflow-started`, `step-completed`, `timer-set`, `event-consumed`... */
  readonly kind: EntryKind;
  /** The host that stored it. */
  readonly host: string;
  readonly stepId?: string;
  /** Tells the occurrences of a step apart, in loops and items; the root of its idempotency key. */
  readonly executionId?: string;
  readonly attempt?: number;
  /** From when an execution (or the workflow) began to its end, pauses and retries included; on what ends one. */
  readonly durationMs?: number;
  /** Who asked for it: `host.as(actor)`. */
  readonly actor?: string;
  readonly error?: StoredError;
  readonly reason?: string;
  /** What an input map made for a step. */
  readonly input?: unknown;
  readonly output?: unknown;
  /** The data that the workflow was started with. */
  readonly data?: unknown;
  /** Keys of the data that were set, appended to or removed. */
  readonly patch?: StoredPatch;
  /** When a timer, a pause or a reminder ends. */
  readonly dueAt?: number;
  /** The event that was consumed. Its payload is the output of the step that waited, unless that waits for more. */
  readonly event?: {
    readonly name: string;
    readonly key: string;
    readonly number?: number;
    readonly payload?: unknown;
  };
  readonly waitingFor?: readonly WaitingFor[];
  readonly child?: {
    readonly id: string;
    readonly definitionId?: string;
    readonly version?: number;
    readonly status?: string;
  };
  /** The number of an iteration, or of the item that was replaced. */
  readonly index?: number;
  /** What an item was replaced by. */
  readonly item?: unknown;
  /** Which of a step's sequences it is about: `onFailure`, `ensure`, `compensation`, `onTimeout`. */
  readonly hook?: string;
  /** The call that was applied or refused: `suspend`, `retry`, `set-data`... */
  readonly call?: string;
  readonly forkedFrom?: { readonly workflowId: string; readonly seq: number };
  /** The version that a workflow was migrated to. */
  readonly version?: number;
  /** The new ids of steps that a migration has renamed. */
  readonly steps?: Readonly<Record<string, string>>;
}

/** A page of a workflow's history, oldest first. */
export async function readHistory(
  shared: ClientShared,
  namespace: string,
  id: string,
  options: PageOptions,
): Promise<Page<HistoryItem>> {
  const { limit, cursor } = checkPage(options);
  const from = cursor === undefined ? { seq: 0, index: 0 } : parseCursor(cursor);
  const row = await shared.store.find({ namespace, id: checkId(id) });
  if (row === undefined) throw new WorkflowNotFoundError(id, namespace);

  // One turn more than can be needed tells whether there is a further page.
  const { persistence } = shared.core.providers;
  const turns = await persistence.turns(row.run, { from: from.seq, limit: limit + 1 });
  const found: FoundEntry[] = [];
  let before: readonly Entry[] = [];
  const timeOf = turnTimes(row);
  let next: string | undefined;
  for (const turn of turns) {
    const entries = decodeEntries(turn.entriesText);
    const first = turn.seq === from.seq ? from.index : 0;
    if (first > 0) before = entries.slice(0, first);
    for (let index = first; index < entries.length && next === undefined; index++) {
      const entry = entries[index];
      if (found.length === limit) next = `${turn.seq}.${index}`;
      else if (entry !== undefined) found.push({ turn, entry });
    }
  }
  const openedAt = await openings(persistence, row, { before, found }, timeOf);
  return { items: found.map(({ turn, entry }) => historyItem(row, turn, entry, { openedAt, timeOf })), cursor: next };
}

/** `seq.index` of the first item of the page. */
function parseCursor(cursor: string): { readonly seq: number; readonly index: number } {
  const match = /^(\d{1,15})\.(\d{1,9})$/.exec(cursor);
  if (match === null)
    throw new InvalidOptionError(
      `\`cursor\` is not one that \`history\` gave: ${JSON.stringify(cursor.slice(0, 100))}`,
    );
  return { seq: Number(match[1]), index: Number(match[2]) };
}

/** The fields of entries that a history shows, or that it makes its own from. */
interface EntryFields {
  readonly pointer?: number;
  readonly step?: string;
  readonly undone?: number;
  readonly undoneStep?: string;
  readonly record?: { readonly pointer: number; readonly step: string };
  readonly attempt?: number;
  readonly actor?: string;
  readonly error?: StoredError;
  readonly reason?: string | null;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly data?: unknown;
  readonly patch?: StoredPatch;
  readonly dueAt?: number;
  readonly nextAt?: number;
  readonly name?: string;
  readonly key?: string;
  readonly number?: number;
  readonly payload?: unknown;
  readonly event?: { readonly name: string; readonly key: string; readonly payload: unknown };
  readonly wait?: {
    readonly streams: readonly { readonly name: string; readonly key: string }[];
    readonly until: number | null;
  };
  readonly childId?: string;
  readonly definitionId?: string;
  readonly version?: number;
  readonly status?: string;
  readonly open?: { readonly index?: number } | readonly unknown[];
  readonly hook?: string;
  readonly index?: number;
  readonly item?: unknown;
  readonly steps?: Readonly<Record<string, string>>;
  readonly delivery?: string;
  readonly from?: string | { readonly workflowId: string; readonly seq: number };
}

function historyItem(
  row: WorkflowRow,
  turn: StoredTurn,
  entry: Entry,
  { openedAt, timeOf }: { readonly openedAt: ReadonlyMap<Entry, number>; readonly timeOf: TurnTime },
): HistoryItem {
  const fields = entry as EntryFields;
  const undone =
    fields.record ?? (fields.undone === undefined ? undefined : { pointer: fields.undone, step: fields.undoneStep });
  const pointer = undone?.pointer ?? fields.pointer;
  const stepId = undone?.step ?? fields.step ?? (typeof fields.from === "string" ? fields.from : undefined);
  // The workflow itself has a pointer too, 0, and is no step.
  const isStep = stepId !== undefined && stepId !== "";
  const item: { -readonly [Key in keyof HistoryItem]: HistoryItem[Key] | undefined } = {
    seq: turn.seq,
    at: timeOf(turn),
    kind: entry.kind,
    host: turn.host,
    stepId: isStep ? stepId : undefined,
    executionId: isStep && pointer !== undefined ? `${row.uid}.${pointer}` : undefined,
    attempt: fields.attempt,
    durationMs: durationOf(timeOf(turn), openedAt.get(entry)),
    actor: fields.actor,
    error: fields.error,
    reason: fields.reason ?? undefined,
    patch: fields.patch,
    dueAt: fields.dueAt ?? fields.nextAt,
    event: eventOf(fields),
    waitingFor: waitingForOf(fields),
    child: childOf(fields),
    index: fields.index ?? (fields.open !== undefined && "index" in fields.open ? fields.open.index : undefined),
    hook: fields.hook,
    call: fields.delivery,
    forkedFrom: typeof fields.from === "object" ? fields.from : undefined,
    version: fields.childId === undefined ? fields.version : undefined,
    steps: fields.steps,
  };
  // These may be undefined and there all the same: a step that returned nothing has an output.
  for (const key of ["input", "output", "data", "item"] as const) if (key in fields) item[key] = handOut(fields[key]);
  for (const key of Object.keys(item) as (keyof HistoryItem)[]) {
    if (item[key] === undefined && !(key in fields)) delete item[key];
  }
  return item as HistoryItem;
}

function eventOf(fields: EntryFields): HistoryItem["event"] {
  const { name, key, number, event } = fields;
  if (event !== undefined) return { name: event.name, key: event.key, payload: handOut(event.payload) };
  if (name === undefined || key === undefined || number === undefined) return undefined;
  return { name, key, number, ...("payload" in fields ? { payload: handOut(fields.payload) } : {}) };
}

function waitingForOf({ wait }: EntryFields): HistoryItem["waitingFor"] {
  return wait?.streams.map(({ name, key }) => ({
    event: name,
    key,
    ...(wait.until === null ? {} : { until: wait.until }),
  }));
}

function childOf({ childId, definitionId, version, status }: EntryFields): HistoryItem["child"] {
  if (childId === undefined) return undefined;
  return {
    id: childId,
    ...(definitionId === undefined ? {} : { definitionId }),
    ...(version === undefined ? {} : { version }),
    ...(status === undefined ? {} : { status }),
  };
}

function durationOf(endedAt: number, openedAt: number | undefined): number | undefined {
  return openedAt === undefined ? undefined : Math.max(0, endedAt - openedAt);
}
