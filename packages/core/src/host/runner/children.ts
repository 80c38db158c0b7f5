import { copy, encode, handOut } from "../../codec/index.ts";
import type { ChildStart, ChildStop, Effects } from "../../engine/decision.ts";
import type { Delivery, Input } from "../../engine/inputs.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { storeError } from "../../engine/stored-error.ts";
import { DefinitionNotFoundError, FatalError, WorkflowIdConflictError } from "../../errors.ts";
import type { NewDelivery, NewWorkflow, Run, WorkflowRow } from "../../providers/records.ts";
import { leaveUnheard } from "../../thenable.ts";
import { validated } from "../client/schema.ts";
import { encodeStartRecord } from "../core/start-record.ts";
import type { RunnerContext } from "./runner-context.ts";

/** What goes with a turn for the children that it starts and stops. */
export interface PreparedChildren {
  readonly create: readonly NewWorkflow[];
  readonly deliver: readonly NewDelivery[];
  /** Children that cannot be: the turn is decided again with these inputs after its own. Empty: it can be committed. */
  readonly refusals: readonly Input[];
}

/** The workflow whose children they are. */
export interface Parent {
  readonly run: Run;
  readonly namespace: string;
  readonly id: string;
  readonly priority: number;
  /** Before the turn. */
  readonly state: WorkflowState;
}

export const noChildren: PreparedChildren = { create: [], deliver: [], refusals: [] };

/** Makes the records of children to start, and finds those to stop. Reads the store. */
export async function prepareChildren(
  context: RunnerContext,
  parent: Parent,
  effects: Effects,
): Promise<PreparedChildren> {
  const ids = [
    ...effects.startChildren.map(({ childId }) => childId),
    ...effects.stopChildren.map(({ childId }) => childId),
    ...(effects.retryChildren ?? []).map(({ childId }) => childId),
  ];
  const found = await context.reads.find(parent.namespace, ids);
  const rows = new Map(ids.map((id, index) => [id, found[index]]));
  const create: NewWorkflow[] = [];
  const deliver: NewDelivery[] = [];
  const refusals: Input[] = [];
  for (const start of effects.startChildren) {
    try {
      create.push(await newChild(context, parent, start, rows.get(start.childId)));
    } catch (thrown) {
      refusals.push({ kind: "attempt-threw", pointer: start.pointer, attempt: 1, error: storeError(thrown), thrown });
    }
  }
  for (const stop of effects.stopChildren) {
    const row = rows.get(stop.childId);
    if (row !== undefined && row.parent?.run === parent.run) deliver.push(stopDelivery(context, row.run, stop));
    else refusals.push(...endOfMissing(parent.state, stop));
  }
  for (const { childId, actor } of effects.retryChildren ?? []) {
    const row = rows.get(childId);
    const body: Delivery = { kind: "retry", byParent: true, ...(actor === undefined ? {} : { actor }) };
    if (row?.parent?.run === parent.run) deliver.push(engineDelivery(context, row.run, body));
  }
  return { create, deliver, refusals };
}

/** The same without reading, inside a transaction: `runs` are those of the children that were there when it began. Throws where it would have to wait. */
export function prepareChildrenNow(
  context: RunnerContext,
  parent: Parent,
  effects: Effects,
  runs: ReadonlyMap<string, Run>,
): PreparedChildren {
  const create: NewWorkflow[] = [];
  const refusals: Input[] = [];
  for (const start of effects.startChildren) {
    try {
      const child = childRecord(context, parent, start);
      if (child instanceof Promise) {
        leaveUnheard(child);
        throw new TypeError(
          `the schema of workflow \`${start.definitionId}\` is asynchronous: a child of it cannot be started by a transactional step; put a step between them`,
        );
      }
      create.push(child);
    } catch (thrown) {
      refusals.push({ kind: "attempt-threw", pointer: start.pointer, attempt: 1, error: storeError(thrown), thrown });
    }
  }
  const deliver: NewDelivery[] = [];
  for (const stop of effects.stopChildren) {
    const run = runs.get(stop.childId);
    if (run === undefined) refusals.push(...endOfMissing(parent.state, stop));
    else deliver.push(stopDelivery(context, run, stop));
  }
  return { create, deliver, refusals };
}

/** The runs of a state's live children. */
export async function liveChildren(context: RunnerContext, parent: Parent): Promise<ReadonlyMap<string, Run>> {
  const ids = [...parent.state.pointers.values()].flatMap(({ child }) => (child === null ? [] : [child.id]));
  const rows = await context.reads.find(parent.namespace, ids);
  return new Map(rows.flatMap((row) => (row?.parent?.run === parent.run ? [[row.id, row.run] as const] : [])));
}

async function newChild(
  context: RunnerContext,
  parent: Parent,
  start: ChildStart,
  taken: WorkflowRow | undefined,
): Promise<NewWorkflow> {
  // One of ours is from an earlier turn that was stored after all: then this one is not.
  if (taken !== undefined && (taken.parent?.run !== parent.run || taken.parent.pointer !== start.pointer)) {
    throw new WorkflowIdConflictError(
      `a workflow \`${start.childId}\` is there already, and it is no child of \`${parent.id}\`: remove it, then retry the workflow`,
      {
        workflowId: start.childId,
        namespace: parent.namespace,
      },
    );
  }
  return childRecord(context, parent, start);
}

function childRecord(context: RunnerContext, parent: Parent, start: ChildStart): NewWorkflow | Promise<NewWorkflow> {
  const { registry, runtime, options } = context.core;
  const { definitionId, version, childId } = start;
  const definition = version === undefined ? registry.latest(definitionId) : registry.get(definitionId, version);
  if (definition === undefined) {
    throw new DefinitionNotFoundError(
      `no workflow \`${definitionId}\`${version === undefined ? "" : ` version ${version}`} is registered with the host that runs \`${parent.id}\`: register it there, then retry the workflow`,
      { definitionId, version, workflowId: parent.id },
    );
  }
  const { trace } = parent.state.identity;
  const record = (data: unknown): NewWorkflow => ({
    namespace: parent.namespace,
    id: childId,
    uid: runtime.randomId(),
    definitionId,
    version: definition.version,
    definitionHash: definition.hash,
    priority: parent.priority,
    tags: [],
    startAt: null,
    startText: encodeStartRecord({
      data,
      cursors: start.cursors,
      depth: start.depth,
      parentId: parent.id,
      ...(trace === undefined ? {} : { trace }),
    }),
    parent: { run: parent.run, pointer: start.pointer },
    firstTurn: null,
  });
  if (definition.dataSchema === undefined) return record(start.data);
  const { dataBytes, depth } = options.limits;
  const copied = (value: unknown): NewWorkflow =>
    record(copy(value, { path: "data", maxBytes: dataBytes, maxDepth: depth }));
  const checked = validated(definition.dataSchema, handOut(start.data), {
    what: `the data of child workflow \`${definitionId}\``,
    definitionId,
    workflowId: parent.id,
  });
  return checked instanceof Promise ? checked.then(copied) : copied(checked);
}

function stopDelivery(context: RunnerContext, to: Run, { compensate, reason }: ChildStop): NewDelivery {
  const body: Delivery = { kind: "terminate", compensate, reason };
  return engineDelivery(context, to, body);
}

/** A delivery of the engine's own: no limit applies, nobody asks for its outcome. */
export function engineDelivery(context: RunnerContext, to: Run, body: Delivery): NewDelivery {
  return {
    deliveryId: context.core.runtime.randomId(),
    to,
    kind: body.kind,
    bodyText: encode(body),
    keepOutcome: false,
    exempt: true,
  };
}

/** A child that is not there cannot tell that it has ended; whoever waits for it is told here. */
function endOfMissing(state: WorkflowState, { childId }: ChildStop): Input[] {
  for (const pointer of state.pointers.values()) {
    if (pointer.child?.id === childId) return [{ kind: "straggler-ended", pointer: pointer.id, returned: false }];
  }
  return [];
}

/** Most rounds of deciding a turn anew: from one child that cannot be started to the next. */
const mostRounds = 100;

/** Children that cannot be started, or stopped, in a turn: it is decided again with the inputs that say so. */
export class Refusals {
  readonly #parent: Parent;
  readonly #pointers: Set<number> = new Set();
  #rounds = 0;
  inputs: readonly Input[] = [];

  constructor(parent: Parent) {
    this.#parent = parent;
  }

  add(refusals: readonly Input[]): void {
    this.#rounds += 1;
    if (this.#rounds > mostRounds) {
      throw new FatalError(
        `workflow \`${this.#parent.id}\` goes from one child that cannot be started to the next without end: see the errors of its steps`,
      );
    }
    for (const refusal of refusals) if ("pointer" in refusal) this.#pointers.add(refusal.pointer);
    this.inputs = [...this.inputs, ...refusals];
  }

  /** The effects without those children. */
  without(effects: Effects): Effects {
    if (this.#pointers.size === 0) return effects;
    const missing = new Set<string>();
    for (const { id, child } of this.#parent.state.pointers.values())
      if (child !== null && this.#pointers.has(id)) missing.add(child.id);
    return {
      ...effects,
      startChildren: effects.startChildren.filter(({ pointer }) => !this.#pointers.has(pointer)),
      stopChildren: effects.stopChildren.filter(({ childId }) => !missing.has(childId)),
    };
  }
}
