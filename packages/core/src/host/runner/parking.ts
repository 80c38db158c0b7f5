import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { storeError } from "../../engine/stored-error.ts";
import { CorruptedRecordError, NewerFormatError, WfeError } from "../../errors.ts";
import type { RowWrite } from "../../providers/persistence-provider.ts";
import type { WorkflowRow } from "../../providers/records.ts";
import { encodeRowError, rowOf } from "../core/row-record.ts";
import { endedStragglers, type Bodies } from "./bodies.ts";
import type { RunnerContext } from "./runner-context.ts";
import type { WorkAtHand } from "./work-at-hand.ts";

/** A host reads again what a newer one has written after this time: that one may have been rolled back, or take it. */
const newerFormatPauseMs = 60_000;

/** How a workflow in hand stands. */
export interface Standing {
  readonly state: WorkflowState;
  readonly work: WorkAtHand;
  readonly bodies: Bodies;
  /** Whether inputs wait to be decided. */
  readonly hasInputs: boolean;
  /** Whether inbox and events are to be read. */
  readonly pulls: boolean;
  readonly notedSignals: number;
}

/** The row with which the workflow is let go; undefined: there is something to do here, or to wait for. */
export function restingRow({ core, stopping }: RunnerContext, standing: Standing): RowWrite | undefined {
  const { state, work, bodies, pulls, notedSignals } = standing;
  if (bodies.matterTo(state) || standing.hasInputs || (pulls && !stopping)) return undefined;
  const letGo = (dueAt: number | null): RowWrite => rowOf(state, { dueAt, release: true, notedSignals });
  if (state.phase !== "active") return letGo(pulls ? core.engineNow() : null);
  const { dueAt } = work;
  const works = work.ready.length > 0 || work.continues || work.journal.length > 0;
  if (stopping) return letGo(works || pulls ? core.engineNow() : dueAt);
  if (works || (dueAt !== null && dueAt <= core.engineNow() + core.options.nearMs)) return undefined;
  if (state.stragglers.size > 0 && endedStragglers(state, bodies).length > 0) return undefined;
  return letGo(dueAt);
}

/** What a workflow's row tells of it while it is in hand. */
export interface Shown {
  readonly phase: WorkflowState["phase"];
  readonly version: number;
}

export function shownBy({ status, version }: WorkflowRow): Shown {
  return { phase: status === "runnable" || status === "waiting" ? "active" : status, version };
}

/**
 * The row as queries and other hosts should see it at once, although the workflow stays in hand; undefined: it says so already. It
 * may be behind where the last turn was stored by a host that could not write the row any more.
 */
export function changedRow(shown: Shown, after: WorkflowState, notedSignals: number): RowWrite | undefined {
  if (shown.phase === after.phase && shown.version === after.identity.version) return undefined;
  return rowOf(after, { dueAt: null, release: false, notedSignals });
}

/** The row as it is, for hosts that have this version of the definition. */
export function passedOnRow(
  context: RunnerContext,
  row: WorkflowRow,
  version: number,
  definitionHash: string,
): RowWrite {
  return { ...letGoAsIs(row), version, definitionHash, dueAt: context.core.engineNow() };
}

/** The row of a workflow whose records cannot be used: nobody takes it until something comes for it. */
export function quarantinedRow(context: RunnerContext, row: WorkflowRow, thrown: unknown): RowWrite {
  // Written by a newer version: its own hosts can read it, so it stays what it is.
  if (thrown instanceof NewerFormatError)
    return { ...letGoAsIs(row), dueAt: context.core.engineNow() + newerFormatPauseMs };
  return { ...letGoAsIs(row), status: "suspended", errorText: encodeRowError(storeError(thrown)), waitingFor: [] };
}

function letGoAsIs(row: WorkflowRow): RowWrite {
  const { status, signals, version, definitionHash, completedAt, resultText, errorText, waitingFor } = row;
  return {
    status,
    dueAt: null,
    release: true,
    notedSignals: signals,
    version,
    definitionHash,
    completedAt,
    resultText,
    errorText,
    waitingFor,
  };
}

export function strangeDefinition(
  row: WorkflowRow,
  { identity: { definitionId, version } }: WorkflowState,
): CorruptedRecordError {
  return new CorruptedRecordError(
    `the journal of workflow \`${row.id}\` names definition \`${definitionId}\` version ${version}, its row \`${row.definitionId}\` version ${row.version}: one of them is damaged. Restore it from a backup`,
    { workflowId: row.id, definitionId, version },
  );
}

export function missingTurns(row: WorkflowRow, { seq }: WorkflowState): CorruptedRecordError {
  return new CorruptedRecordError(
    `the journal of workflow \`${row.id}\` ends at turn ${seq}, and the store refuses the next one: turns are missing. Restore it from a backup`,
    { workflowId: row.id },
  );
}

/** With what a workflow in hand goes on. */
interface Used {
  readonly state: WorkflowState;
  readonly definition: WorkflowDefinition | undefined;
}

/** What no part of WFE has thrown on purpose comes of records that can be read and make no sense. */
export function unusable(thrown: unknown, row: WorkflowRow | undefined, used?: Used): unknown {
  const isStrange = !(thrown instanceof WfeError) || thrown instanceof CorruptedRecordError;
  const { state, definition } = used ?? {};
  if (isStrange && state !== undefined && state.seq >= 0 && definition !== undefined) {
    if (state.identity.definitionHash !== definition.hash) return otherSteps(thrown, state, definition);
  }
  if (thrown instanceof WfeError) return thrown;
  const what = thrown instanceof Error ? thrown.message : String(thrown);
  return new CorruptedRecordError(
    `the records of workflow \`${row?.id}\` can be read, but not be gone on with (${what}): one of them is damaged, or this is a defect of WFE; fork it from before, or restore it from a backup`,
    { workflowId: row?.id, cause: thrown },
  );
}

/** The likeliest reason by far: it was begun by another definition of that id and version. */
function otherSteps(
  cause: unknown,
  { identity, pointers }: WorkflowState,
  { id, version, index }: WorkflowDefinition,
): CorruptedRecordError {
  const stands = [...pointers.values()].map(({ step }) => step);
  const missing = stands.find((step) => step !== "" && !index.places.has(step));
  return new CorruptedRecordError(
    `definition \`${id}\` version ${version} was changed since workflow \`${identity.id}\` was started${
      missing === undefined ? "" : `: it stands at step \`${missing}\`, which is not there any more`
    }. Give the host the definition that the workflow was started with (a changed one needs a \`version\` of its own), then \`resumeWorkflow\``,
    {
      workflowId: identity.id,
      definitionId: id,
      version,
      ...(missing === undefined ? {} : { stepId: missing }),
      cause,
    },
  );
}
