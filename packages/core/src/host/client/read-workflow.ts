import { handOut } from "../../codec/index.ts";
import { projectionOf, reviveError } from "../../engine/index.ts";
import { CorruptedRecordError, InvalidOptionError, WorkflowNotFoundError } from "../../errors.ts";
import type { WorkflowRow } from "../../providers/records.ts";
import { decodeRowError } from "../core/row-record.ts";
import { decodeStartRecord } from "../core/start-record.ts";
import type { ClientShared } from "./client-shared.ts";
import { foldNow, foldUpTo, type Folded } from "./fold.ts";
import { checkWhole } from "./host-options.ts";
import { checkId } from "./names.ts";
import { stepDetails } from "./step-details.ts";
import type { PastState, WorkflowData, WorkflowDetails, WorkflowSummary } from "./workflow-views.ts";

/** The workflow as its journal says it is: exact, also while a host has it in hand. */
export async function readWorkflow(
  shared: ClientShared,
  namespace: string,
  id: string,
): Promise<WorkflowDetails | undefined> {
  const found = await shared.store.find({ namespace, id: checkId(id) });
  if (found === undefined) return undefined;
  const folded = await foldNow(shared.core.providers.persistence, found.run);
  return folded === undefined ? undefined : details(shared, folded);
}

/** The workflow as it was after turn `seq`. */
export async function readStateAt(
  shared: ClientShared,
  namespace: string,
  id: string,
  seq: number,
): Promise<PastState> {
  checkWhole("seq", seq, 0, Number.MAX_SAFE_INTEGER);
  const found = await shared.store.find({ namespace, id: checkId(id) });
  const folded = found === undefined ? undefined : await foldUpTo(shared.core.providers.persistence, found.run, seq);
  if (folded === undefined) {
    if (found === undefined) throw new WorkflowNotFoundError(id, namespace);
    throw new InvalidOptionError(
      `workflow \`${id}\` has no turn ${seq} yet: \`getWorkflow\` gives the number of its last one as \`seq\``,
      { workflowId: id, namespace },
    );
  }
  const { status, data, error, reason, waitingFor, steps } = details(shared, folded);
  return { id, seq, at: folded.at, status, data, error, reason, waitingFor, steps };
}

/** What a row tells: status and the like as they were when it was last written. */
export function summaryOf(row: WorkflowRow): WorkflowSummary {
  return {
    id: row.id,
    namespace: row.namespace,
    definitionId: row.definitionId,
    version: row.version,
    status: row.status,
    priority: row.priority,
    tags: row.tags,
    createdAt: row.createdAt,
    completedAt: row.completedAt ?? undefined,
    error: row.errorText === null ? undefined : errorOf(row.errorText),
    waitingFor: row.waitingFor,
  };
}

/** One that is damaged tells so itself: thrown, it would keep whoever lists workflows from all others. */
function errorOf(text: string): Error {
  try {
    return reviveError(decodeRowError(text));
  } catch (error) {
    if (error instanceof CorruptedRecordError) return error;
    throw error;
  }
}

function details(shared: ClientShared, { row, state, summary }: Folded): WorkflowDetails {
  const begun = state.seq >= 0;
  const projection = projectionOf(state);
  const version = begun ? state.identity.version : row.version;
  const definition = shared.core.registry.get(row.definitionId, version);
  const start = begun ? undefined : decodeStartRecord(row.startText);
  return {
    ...summaryOf(row),
    version,
    definitionHash: begun ? state.identity.definitionHash : row.definitionHash,
    status: projection.status,
    completedAt: projection.completedAt ?? undefined,
    error: projection.error === null ? undefined : reviveError(projection.error),
    waitingFor: projection.waitingFor,
    data: handOut(start === undefined ? state.data : (start.data ?? {})) as WorkflowData,
    reason: state.reason ?? undefined,
    seq: state.seq,
    parentId: start === undefined ? state.identity.parent?.workflowId : start.parentId,
    steps: stepDetails(summary, definition, state),
  };
}
