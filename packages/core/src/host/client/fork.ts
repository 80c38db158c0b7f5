import { encodeEntries, evolveTurn, forkState, initialState, type WorkflowIdentity } from "../../engine/index.ts";
import { InvalidOptionError, RefusedError, WorkflowIdConflictError, WorkflowNotFoundError } from "../../errors.ts";
import { decodeStartRecord, encodeStartRecord } from "../core/start-record.ts";
import type { ClientShared } from "./client-shared.ts";
import { checkObject, checkWhole, refuseUnknown } from "./host-options.ts";
import { checkId } from "./names.ts";
import type { WorkflowKey } from "./workflow-end.ts";
import { turnsUpTo } from "./turns-up-to.ts";

/** Options of a fork. */
export interface ForkOptions {
  /** The turn after which the fork goes its own way: a `seq` of the history. */
  readonly at: number;
  /** The id of the new workflow. Default: a random one. */
  readonly id?: string;
}

/** Stores a new workflow that goes on from a past point of another one; gives its id. The first turn is stored with it. */
export async function fork(
  shared: ClientShared,
  key: WorkflowKey,
  options: ForkOptions,
  actor: string | undefined,
): Promise<string> {
  checkObject("the options of a fork", options);
  refuseUnknown("the options of a fork", options, ["at", "id"]);
  const at = checkWhole("at", options.at, 0, Number.MAX_SAFE_INTEGER);
  const { runtime, providers, hostName, engineNow } = shared.core;
  const id = options.id === undefined ? runtime.randomId() : checkId(options.id);

  const { namespace } = key;
  checkId(key.id);
  const row = await shared.store.find(key);
  if (row === undefined) throw new WorkflowNotFoundError(key.id, namespace);
  const turns = await turnsUpTo(providers.persistence, row.run, at);
  if (turns.at(-1)?.seq !== at) {
    throw new InvalidOptionError(`workflow \`${key.id}\` has no turn ${at} yet: take a \`seq\` of its \`history\``, {
      workflowId: key.id,
      namespace,
    });
  }

  // Of the version that the workflow had at that point: it may have been migrated since.
  const { definitionId, version, definitionHash, tags, priority } = turns.reduce(evolveTurn, initialState()).identity;
  const identity: WorkflowIdentity = {
    id,
    namespace,
    uid: runtime.randomId(),
    definitionId,
    version,
    definitionHash,
    createdAt: engineNow(),
    tags,
    priority,
    depth: 0,
    parent: null,
  };
  const entries = forkState(turns, identity, actor);
  if ("refused" in entries)
    throw new RefusedError(`workflow \`${key.id}\` cannot be forked at ${at}: ${entries.refused}`, {
      workflowId: key.id,
      namespace,
    });

  const created = await shared.store.create({
    namespace,
    id,
    uid: identity.uid,
    definitionId,
    version,
    definitionHash,
    priority,
    tags,
    startAt: null,
    startText: encodeStartRecord({ data: decodeStartRecord(row.startText).data, depth: 0 }),
    parent: null,
    firstTurn: { turn: runtime.randomId(), entriesText: encodeEntries(entries), host: hostName },
  });
  if (!created.created) {
    throw new WorkflowIdConflictError(`there is a workflow \`${id}\` already, so no fork was made: choose another id`, {
      workflowId: id,
      namespace,
    });
  }
  shared.wake([created.run]);
  return id;
}
