import { handOut } from "../../codec/index.ts";
import { isFinal, reviveError } from "../../engine/index.ts";
import {
  ResultTimeoutError,
  type WfeError,
  WorkflowFailedError,
  WorkflowNotFoundError,
  WorkflowTerminatedError,
} from "../../errors.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import { finalStatuses, type Run, type WorkflowRow } from "../../providers/records.ts";
import type { EndedWorkflow } from "../core/host-core.ts";
import { decodeResult, decodeRowError } from "../core/row-record.ts";
import type { ClientShared } from "./client-shared.ts";
import { foldNow } from "./fold.ts";
import { findAll } from "./store-calls.ts";
import { bounded, checkWaitOptions, type WaitOptions } from "./wait-bounds.ts";
import type { LookUp } from "./watch.ts";
import type { WorkflowData } from "./workflow-views.ts";

/** The workflow that is waited for. */
export interface WorkflowKey {
  readonly namespace: string;
  readonly id: string;
}

/** How a workflow ended; `missing`: there is none of this id. */
export type WorkflowEnd = EndedWorkflow | "missing";

/** For so long the first look-up for the end of a workflow that was just started is put off. */
const freshMs = 250;

/**
 * The final data of a workflow, as soon as it has some. A result that nobody looks at harms nobody. `startedAt`: the monotonic
 * time at which this host set out to start it, as `run`; a host that runs workflows will most likely be the one that ends it.
 */
export function resultOf(
  shared: ClientShared,
  key: WorkflowKey,
  options: WaitOptions,
  startedAt: number,
  run: Run | undefined,
): Promise<WorkflowData> {
  const result = awaitResult(shared, key, options, startedAt, run);
  // Without this, a workflow that fails after its starter lost interest would end the process.
  result.catch(() => {});
  return result;
}

async function awaitResult(
  shared: ClientShared,
  key: WorkflowKey,
  options: WaitOptions,
  startedAt: number,
  run: Run | undefined,
): Promise<WorkflowData> {
  const bounds = checkWaitOptions(options);
  bounds.signal?.throwIfAborted();
  await shared.open();
  const { clock } = shared.core.runtime;
  const isFresh = shared.runsWorkflows() && clock.monotonic() - startedAt < freshMs;
  const waiting = shared.ends.wait(key, isFresh ? startedAt : undefined, run);
  const end = await bounded(clock, waiting, bounds, () => timedOut(key, bounds.timeoutMs));
  return finalData(key, end);
}

/** What the store says of how these workflows ended. */
export async function lookUpEnds(
  persistence: PersistenceProvider,
  keys: readonly WorkflowKey[],
): Promise<readonly LookUp<WorkflowEnd>[]> {
  const rows = await findAll(persistence, keys);
  return Promise.all(rows.map((row) => endOf(persistence, row)));
}

async function endOf(persistence: PersistenceProvider, row: WorkflowRow | undefined): Promise<LookUp<WorkflowEnd>> {
  if (row === undefined) return { fact: "missing" };
  const { run } = row;
  if (!finalStatuses.includes(row.status) || (await isRevived(persistence, row))) return { run };
  const { namespace, id, status, completedAt, resultText, errorText } = row;
  return { run, fact: { run, namespace, workflowId: id, status, completedAt, resultText, errorText } };
}

/**
 * Whether a workflow whose row says that it has ended goes on all the same: a repair of it was accepted and is to be read, or
 * was read and the row is not written yet. Whoever asks for a result after such a call means that of the repaired workflow.
 */
async function isRevived(persistence: PersistenceProvider, row: WorkflowRow): Promise<boolean> {
  if (row.status === "completed" || (row.owner === null && row.dueAt === null)) return false;
  const [inbox] = await persistence.pull([{ run: row.run, namespace: row.namespace, streams: [] }]);
  if (inbox?.deliveries.some(({ kind }) => kind === "retry" || kind === "skip-step") === true) return true;
  if (row.owner === null) return false;
  const folded = await foldNow(persistence, row.run);
  return folded !== undefined && !isFinal(folded.state);
}

function finalData({ namespace, id }: WorkflowKey, end: WorkflowEnd): WorkflowData {
  if (end === "missing") throw new WorkflowNotFoundError(id, namespace);
  const { status, resultText, errorText } = end;
  if (status === "completed") return handOut(resultText === null ? {} : decodeResult(resultText)) as WorkflowData;
  const error = errorText === null ? undefined : reviveError(decodeRowError(errorText));
  throw status === "terminated" ? terminated(id, namespace, error) : failed(id, namespace, error);
}

function failed(workflowId: string, namespace: string, cause: Error | undefined): WorkflowFailedError {
  const { stepId, attempt } = (cause ?? {}) as Partial<WfeError>;
  const step = stepId === undefined ? "" : ` at step \`${stepId}\``;
  return new WorkflowFailedError(
    `workflow \`${workflowId}\` failed${step}: ${cause?.message ?? "its error is not on record"}; mend what caused it and call \`retryWorkflow\`, or see its \`history\``,
    { workflowId, namespace, stepId, attempt, cause },
  );
}

/** The reason that was given stands in the message of the row's error. */
function terminated(workflowId: string, namespace: string, cause: Error | undefined): WorkflowTerminatedError {
  return new WorkflowTerminatedError(
    `workflow \`${workflowId}\` was terminated${cause === undefined ? "" : `: ${cause.message}`}; it has no result, its \`history\` tells who ended it`,
    { workflowId, namespace, cause },
  );
}

function timedOut({ namespace, id }: WorkflowKey, timeoutMs: number | undefined): ResultTimeoutError {
  return new ResultTimeoutError(
    `workflow \`${id}\` has not ended within ${timeoutMs} ms; it goes on: ask for its result again, or look at it with \`getWorkflow\``,
    {
      workflowId: id,
      namespace,
    },
  );
}
