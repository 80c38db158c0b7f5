import { FactsReader, indexesAround, type JournalFacts } from "../../engine/failures.ts";
import { decodeEntries, isFinal, reviveError, type Entry, type StoredError } from "../../engine/index.ts";
import { executionId, rootPointer, type Pointer, type WorkflowState } from "../../engine/state.ts";
import { waitsForStragglers } from "../../engine/undo.ts";
import { WorkflowNotFoundError } from "../../errors.ts";
import type { WorkflowRow, WorkflowStatus } from "../../providers/records.ts";
import { decodeStartRecord } from "../core/start-record.ts";
import type { ClientShared } from "./client-shared.ts";
import { turnTimes } from "./imported.ts";
import { actionsOf, awaitedBy } from "./explain-actions.ts";
import { actionsText, explainText } from "./explain-text.ts";
import { foldNow } from "./fold.ts";
import { journalPages } from "./journal-pages.ts";
import { checkId } from "./names.ts";

/** A workflow in words: what happened, what it waits for, and what can be done about it. */
export interface Explanation {
  readonly id: string;
  readonly definitionId: string;
  readonly version: number;
  readonly status: WorkflowStatus;
  /** All that follows, as a person would say it. */
  readonly text: string;
  /** The text without what can be done: for whoever says `actions` in other words than calls. */
  readonly story: string;
  readonly happened: readonly Happening[];
  /** What it failed of, or was suspended for; of a child, what that failed of. */
  readonly failures: readonly ExplainedFailure[];
  readonly waitsFor: readonly ExplainedWait[];
  readonly actions: readonly ExplainedAction[];
}

/** Something worth telling, oldest first: not every step, but starts, ends, failures and what people did. */
export interface Happening {
  readonly at: number;
  readonly text: string;
}

export interface ExplainedFailure {
  /** The workflow whose step failed: this one, or a child of it. */
  readonly workflowId: string;
  readonly stepId: string;
  /** The numbers of the items and iterations around it, outermost first. */
  readonly item: readonly number[];
  readonly executionId: string;
  readonly attempt: number | undefined;
  readonly at: number | undefined;
  readonly error: Error;
}

export interface ExplainedWait {
  readonly kind: "event" | "time" | "retry" | "child" | "step" | "host" | "person" | "parent";
  readonly stepId: string | undefined;
  readonly item: readonly number[];
  /** Milliseconds since the epoch: when it goes on by itself at the latest. */
  readonly until: number | undefined;
  readonly text: string;
}

/** A call that makes sense now, and that the workflow would take as it stands. */
export interface ExplainedAction {
  /** The method of the host, such as `retryWorkflow`. */
  readonly call: string;
  /** Its arguments, ready to be used but for what only a person knows: that is left out, and `undefined` where more follows. */
  readonly arguments: readonly unknown[];
  readonly text: string;
}

/** How far down failures are followed into children. */
const deepestChild = 5;
/** Of waits of one kind, such as those of many items, so many are named. */
const mostNamed = 20;
const mostHappenings = 50;

/** Reads the whole history, since what failed may be anywhere in it. */
export async function explain(shared: ClientShared, namespace: string, id: string): Promise<Explanation> {
  checkId(id);
  const told = await tell(shared, namespace, id, 0);
  if (told === undefined) throw new WorkflowNotFoundError(id, namespace);
  return told;
}

async function tell(
  shared: ClientShared,
  namespace: string,
  id: string,
  depth: number,
): Promise<Explanation | undefined> {
  const row = await shared.store.find({ namespace, id });
  const folded = row === undefined ? undefined : await foldNow(shared.core.providers.persistence, row.run);
  if (row === undefined || folded === undefined) return undefined;
  const { facts, happened } = await readJournal(shared, row);
  const { state } = folded;
  const begun = state.seq >= 0;
  const failures = await failuresOf(shared, namespace, facts, state, depth);
  const waitsFor = begun ? waitsOf(shared, row, state, facts) : [waitsForHost(shared, row)];
  const parentId = begun ? state.identity.parent?.workflowId : decodeStartRecord(row.startText).parentId;
  const parent = parentId === undefined ? undefined : await shared.store.find({ namespace, id: parentId });
  // Of a child only the failures are wanted.
  const actions = depth > 0 ? [] : await actionsOf(shared, { row, state, facts, failures, parent });
  const explanation = {
    id,
    definitionId: row.definitionId,
    version: begun ? state.identity.version : row.version,
    status: begun && isFinal(state) ? (state.phase as WorkflowStatus) : statusOf(row, state),
    happened: begun ? happened : [{ at: row.createdAt, text: "created" }],
    failures,
    waitsFor,
    actions,
  };
  const story = explainText(explanation, { parent, reason: state.reason });
  return { ...explanation, story, text: `${story}${actionsText(actions)}` };
}

function statusOf(row: WorkflowRow, state: WorkflowState): WorkflowStatus {
  if (state.phase === "suspended") return "suspended";
  return row.status === "suspended" ? row.status : row.status === "waiting" ? "waiting" : "runnable";
}

async function readJournal(
  shared: ClientShared,
  row: WorkflowRow,
): Promise<{ readonly facts: JournalFacts; readonly happened: readonly Happening[] }> {
  const { persistence } = shared.core.providers;
  const reader = new FactsReader();
  const happened: Happening[] = [];
  const timeOf = turnTimes(row);
  for await (const turns of journalPages(persistence, row.run)) {
    for (const turn of turns) {
      for (const [index, entry] of decodeEntries(turn.entriesText).entries()) {
        reader.read(entry, { seq: turn.seq, index });
        const text = happening(entry, turn.host);
        if (text !== undefined) happened.push({ at: timeOf(turn), text });
      }
    }
  }
  const most = Math.floor(mostHappenings / 2);
  const left = happened.length - 2 * most;
  const middle = happened[most];
  if (left <= 0 || middle === undefined) return { facts: reader.facts(), happened };
  const cut = { at: middle.at, text: `(${left} more: see \`history\`)` };
  return { facts: reader.facts(), happened: [...happened.slice(0, most), cut, ...happened.slice(-most)] };
}

/** What of an entry is worth telling. */
function happening(entry: Entry, host: string): string | undefined {
  const by = "actor" in entry && entry.actor !== undefined ? ` by ${entry.actor}` : "";
  switch (entry.kind) {
    case "workflow-started":
      return `started, and run by host ${host}`;
    case "workflow-forked":
      return `forked from \`${entry.from.workflowId}\` after turn ${entry.from.seq}${by}`;
    case "workflow-imported":
      return `imported from a file${by}`;
    case "step-retrying":
      return `step \`${entry.step}\` failed and is to be retried: ${entry.error.message}`;
    case "child-timed-out":
      return `child workflow \`${entry.childId}\` ran longer than the time-out of \`${entry.step}\`, and was told to end`;
    case "scope-ending":
      if (entry.pointer !== rootPointer || entry.ending.kind !== "terminated" || !entry.ending.compensate)
        return undefined;
      return `told to end${entry.ending.reason === null ? "" : `: ${entry.ending.reason}`}`;
    case "step-failed":
      return `step \`${entry.step}\` failed: ${entry.error.message}`;
    case "step-held":
      return `step \`${entry.step}\` failed and is held: ${entry.error.message}`;
    case "undo-started":
      return entry.pointer === rootPointer ? "undoing began" : `undoing of \`${entry.step}\` began`;
    case "undo-completed":
      return `step \`${entry.undoneStep}\` was undone`;
    case "undo-failed":
      return `undoing step \`${entry.undoneStep}\` failed: ${entry.error.message}`;
    case "workflow-suspended":
      return `suspended${by}${entry.reason === null ? "" : `: ${entry.reason}`}`;
    case "workflow-resumed":
      return `resumed${by}`;
    case "workflow-retried":
      return `retried${entry.from === "" ? "" : ` from step \`${entry.from}\``}${by}`;
    case "data-set":
      return `data set${by}: ${entry.patch.map(({ key }) => key).join(", ") || "nothing"}`;
    case "item-set":
      return `item ${entry.index} of \`${entry.step}\` replaced${by}`;
    case "step-skipped":
      return `step \`${entry.step}\` skipped${by}`;
    case "child-awaited":
      return `waits again for child \`${entry.childId}\`, which is retried${by}`;
    case "workflow-migrated":
      return `migrated to version ${entry.version}${by}`;
    case "delivery-refused":
      return `\`${entry.delivery}\` refused${by}: ${entry.reason}`;
    case "taken-over":
      return `host ${host} took it over from one that had died`;
    case "workflow-completed":
      return "completed";
    case "workflow-failed":
      return `failed: ${entry.error.message}`;
    case "workflow-terminated":
      return `terminated${entry.reason === null ? "" : `: ${entry.reason}`}`;
    default:
      return undefined;
  }
}

async function failuresOf(
  shared: ClientShared,
  namespace: string,
  { causes, opened, errors }: JournalFacts,
  state: WorkflowState,
  depth: number,
): Promise<readonly ExplainedFailure[]> {
  const live = state.phase === "failed" || state.phase === "terminated" ? causes.map(({ pointer }) => pointer) : [];
  const held = [...state.pointers.values()].filter(({ status }) => status === "held").map(({ id }) => id);
  const failures: ExplainedFailure[] = [];
  for (const pointer of [...live, ...held].slice(0, mostNamed)) {
    const childId = state.pointers.get(pointer)?.child?.id ?? errors.get(pointer)?.childId;
    const child =
      childId === undefined || depth >= deepestChild ? undefined : await tell(shared, namespace, childId, depth + 1);
    if (child !== undefined && child.failures.length > 0) {
      failures.push(...child.failures);
      continue;
    }
    const failed = errors.get(pointer);
    const place = opened.get(pointer);
    if (failed === undefined || place === undefined) continue;
    failures.push({
      workflowId: state.identity.id,
      stepId: place.step,
      item: place.indexes,
      executionId: executionId(state, pointer),
      attempt: failed.error.attempt,
      at: undefined,
      error: reviveError(failed.error),
    });
  }
  if (state.error === null) return failures;
  // What stands in the way is the undoing, not what was undone for.
  if (state.stuckUndo !== null) return [failureOf(state, state.error), ...failures];
  return failures.length === 0 ? [failureOf(state, state.error)] : failures;
}

function failureOf(state: WorkflowState, error: StoredError): ExplainedFailure {
  return {
    workflowId: state.identity.id,
    stepId: error.stepId ?? "",
    item: [],
    executionId: "",
    attempt: error.attempt,
    at: state.completedAt ?? undefined,
    error: reviveError(error),
  };
}

function waitsForHost({ core }: ClientShared, row: WorkflowRow): ExplainedWait {
  const { definitionId, version, definitionHash } = row;
  const has = core.registry.get(definitionId, version);
  const runs = core.registry.running(definitionId, version, definitionHash);
  const other = ", with the structure that it was started with: this one has another under the same version";
  const here = has === undefined ? ", which this one has not" : runs === undefined ? other : "";
  const later = row.dueAt !== null && row.dueAt > core.engineNow();
  return {
    kind: "host",
    stepId: undefined,
    item: [],
    until: later ? (row.dueAt ?? undefined) : undefined,
    text: later ? "its start" : `a host that runs and has \`${definitionId}\` version ${version}${here}`,
  };
}

function waitsOf(
  shared: ClientShared,
  row: WorkflowRow,
  state: WorkflowState,
  facts: JournalFacts,
): readonly ExplainedWait[] {
  if (isFinal(state)) return [];
  const waits: ExplainedWait[] = [];
  if (state.phase === "suspended")
    waits.push({
      kind: "person",
      stepId: undefined,
      item: [],
      until: undefined,
      text: "somebody to resume or retry it",
    });
  const now = shared.core.engineNow();
  const unowned = row.owner === null && row.dueAt !== null && row.dueAt <= now;
  if (state.phase === "active" && unowned) waits.push(waitsForHost(shared, row));
  for (const pointer of state.pointers.values()) {
    const wait = waitOf(state, pointer, facts);
    if (wait !== undefined) waits.push(wait);
  }
  for (const { pointer, saga, until, ended } of state.stragglers.values()) {
    const undoing = state.pointers.get(saga);
    const holdsUp = pointer === saga || (undoing?.status === "undoing" && waitsForStragglers(state, undoing));
    if (ended || !holdsUp) continue;
    const place = facts.opened.get(pointer);
    waits.push({
      kind: until === null ? "child" : "step",
      stepId: place?.step,
      item: place?.indexes ?? [],
      until: until ?? undefined,
      text: `${placeOf(place?.step ?? executionId(state, pointer), place?.indexes ?? [])}: what goes on though its time is over to end, before undoing goes on`,
    });
  }
  const left = waits.length - mostNamed;
  const cut = { kind: "step", stepId: undefined, item: [], until: undefined, text: `(${left} more)` } as const;
  return left <= 0 ? waits : [...waits.slice(0, mostNamed), cut];
}

function placeOf(step: string, item: readonly number[]): string {
  return `\`${step}\`${item.length === 0 ? "" : ` (item ${item.join(", ")})`}`;
}

function waitOf(state: WorkflowState, pointer: Pointer, { errors }: JournalFacts): ExplainedWait | undefined {
  const { id, step, status, kind, wait, child, dueAt, attempt } = pointer;
  if (id === rootPointer) {
    const start = { kind: "time", stepId: undefined, item: [], until: dueAt ?? undefined, text: "its start" } as const;
    return dueAt === null ? undefined : start;
  }
  const item = indexesAround(state, pointer.branch);
  const where = placeOf(step, item);
  const at = { stepId: step, item, until: wait?.until ?? dueAt ?? undefined };
  switch (status) {
    case "waiting":
      if (child !== null) {
        const late = child.timedOut === true ? ", which ran longer than its time-out and was told so," : "";
        return { ...at, kind: "child", text: `${where}: child workflow \`${child.id}\`${late} to end` };
      }
      return {
        ...at,
        kind: "event",
        text: `${where}: ${awaitedBy(pointer)
          .map(({ name: event, key }) => `event \`${event}\` with key \`${key}\``)
          .join(wait?.mode === "all" ? " and " : " or ")}`,
      };
    case "sleeping": {
      const failed = errors.get(id)?.error;
      if (failed !== undefined)
        return { ...at, kind: "retry", text: `${where}: attempt ${attempt}, since it failed: ${failed.message}` };
      const timer = kind === "delay" || kind === "sleep-until";
      return { ...at, kind: "time", text: `${where}: time to pass${timer ? "" : ", as its body asked"}` };
    }
    case "ready":
      return { ...at, kind: "step", text: `${where}: attempt ${attempt} to run and end` };
    case "held":
      return { ...at, kind: "person", text: `${where}: ${heldFor(pointer, errors.has(id))}` };
    case "open":
    case "hook":
    case "undoing":
      return undefined;
  }
}

function heldFor({ child }: Pointer, failed: boolean): string {
  // An import comes without the children.
  if (!failed && child !== null)
    return `somebody to resume or skip it, since its child workflow \`${child.id}\` stayed behind`;
  return "somebody to retry or skip it, since it failed";
}
