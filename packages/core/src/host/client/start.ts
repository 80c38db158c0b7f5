import type { WorkflowDefinition } from "../../definition/definition.ts";
import { type Duration, parseDuration, parseTime, timeAfter } from "../../duration.ts";
import { InvalidOptionError, WorkflowIdConflictError } from "../../errors.ts";
import type { Awaitable } from "../../providers/persistence-provider.ts";
import type { CreatedWorkflow, NewWorkflow } from "../../providers/records.ts";
import { encodeStartRecord } from "../core/start-record.ts";
import { checkBatch, checkTx, forItem, inCallersTransaction, ofItem, type TransactionOptions } from "./batches.ts";
import type { ClientShared } from "./client-shared.ts";
import { copyRecord } from "./copy-record.ts";
import { checkObject, checkWhole, refuseUnknown } from "./host-options.ts";
import { checkId, checkName, describeValue } from "./names.ts";
import { validated } from "./schema.ts";

/** Options of a start. */
export interface StartOptions extends TransactionOptions {
  /**
   * The workflow's id, unique in its namespace: at most 512 bytes, not blank, no NUL. Starting with the same id again gives the
   * same workflow. Default: a random one.
   */
  readonly id?: string;
  /** For a start by the definition's id: which version. Default: the highest that is registered. */
  readonly version?: number;
  /** Higher ones first; a minute of waiting is worth one point. A whole number from -1,000,000 to 1,000,000. Default 0. */
  readonly priority?: number;
  /** At most 100, each like an id. */
  readonly tags?: readonly string[];
  /** Begins after this time. Not together with `startAt`. */
  readonly delay?: Duration;
  /** Begins at this time: a date, or milliseconds since the epoch. */
  readonly startAt?: Date | number;
}

/** One start of a batch. */
export interface StartItem<Definition = WorkflowDefinition | string, Data = unknown> {
  readonly definition: Definition;
  readonly data: Data;
  readonly options?: Omit<StartOptions, "tx">;
}

const mostTags = 100;
const greatestPriority = 1_000_000;

/** Stores a workflow. With `tx` and everything synchronous, the store has been called when this returns its promise. */
export async function start(
  shared: ClientShared,
  namespace: string,
  definition: WorkflowDefinition | string,
  data: unknown,
  options: StartOptions,
  late: boolean,
): Promise<CreatedWorkflow & { readonly id: string }> {
  checkStartOptions(options, true);
  const { tx, delay } = options;
  if (delay !== undefined && tx === undefined) await shared.freshTime();
  const prepared = prepare(shared, namespace, definition, data, options);
  if (tx === undefined) {
    const workflow = await prepared;
    const created = await shared.store.create(workflow);
    shared.wake([created.run]);
    return accepted(workflow, created);
  }
  const workflow = synchronous(prepared);
  const [created] = await inCallersTransaction(late, () => createIn(shared, tx, [workflow]));
  if (created === undefined) throw new TypeError("the store gave no answer to a start");
  return accepted(workflow, created);
}

/** Stores a batch in one transaction. */
export async function startAll(
  shared: ClientShared,
  namespace: string,
  items: readonly StartItem[],
  options: TransactionOptions,
  late: boolean,
): Promise<readonly (CreatedWorkflow & { readonly id: string })[]> {
  const { tx } = checkTx(options);
  checkBatch("startWorkflows", items, shared.core.options.limits.batch, {
    fields: ["definition", "data", "options"],
    options: startOptionNames,
  });
  if (tx === undefined && items.some((item) => item.options?.delay !== undefined)) await shared.freshTime();
  const prepareItem = (item: StartItem, index: number): Awaitable<NewWorkflow> =>
    forItem("startWorkflows", index, () => {
      const { definition, data, options: itemOptions = {} } = item;
      checkStartOptions(itemOptions, false);
      const prepared = prepare(shared, namespace, definition, data, itemOptions);
      return tx === undefined ? prepared : synchronous(prepared);
    });
  if (tx !== undefined) {
    const workflows = items.map(prepareItem) as NewWorkflow[];
    const created = await inCallersTransaction(late, () => createIn(shared, tx, workflows));
    return created.map((each, index) => accepted(workflows[index] as NewWorkflow, each));
  }
  const workflows = await Promise.all(items.map(async (item, index) => prepareItem(item, index)));
  if (workflows.length === 0) return [];
  await refuseConflicts(shared, namespace, workflows);
  const created = await shared.store.createAll(workflows);
  shared.wake(created.map(({ run }) => run));
  return created.map((each, index) => accepted(workflows[index] as NewWorkflow, each));
}

/** The record to store; a promise where the data's schema gives one. */
function prepare(
  shared: ClientShared,
  namespace: string,
  definitionOrId: WorkflowDefinition | string,
  data: unknown,
  options: StartOptions,
): Awaitable<NewWorkflow> {
  const definition = definitionOf(shared, definitionOrId, options.version);
  const { id: definitionId, version, hash: definitionHash } = definition;
  const { randomId } = shared.core.runtime;
  const id = options.id === undefined ? randomId() : checkId(options.id);
  const priority = checkWhole("priority", options.priority ?? 0, -greatestPriority, greatestPriority);
  const tags = checkTags(options.tags ?? []);
  const startAt = checkStartAt(shared, options);
  const trace = shared.core.telemetry?.caller();
  const finish = (checked: unknown): NewWorkflow => ({
    namespace,
    id,
    uid: randomId(),
    definitionId,
    version,
    definitionHash,
    priority,
    tags,
    startAt,
    startText: encodeStartRecord({
      data: copyRecord("the data of a workflow", "data", checked, shared.core.options.limits),
      depth: 0,
      ...(trace === undefined ? {} : { trace }),
      ...(startAt === null ? {} : { startAt }),
    }),
    parent: null,
    firstTurn: null,
  });
  const checked = validated(definition.dataSchema, data === undefined ? {} : data, {
    what: `the data of workflow \`${definitionId}\``,
    definitionId,
    version,
    workflowId: options.id,
  });
  return checked instanceof Promise ? checked.then(finish) : finish(checked);
}

function definitionOf(
  shared: ClientShared,
  definition: WorkflowDefinition | string,
  version: number | undefined,
): WorkflowDefinition {
  const { registry } = shared.core;
  if (typeof definition === "string") return registry.require(definition, version);
  const admitted = registry.admit(definition, shared.runsWorkflows());
  if (version !== undefined && version !== admitted.version) {
    throw new InvalidOptionError(
      `\`version\` is ${version}, but the definition that was passed is version ${admitted.version}: leave \`version\` out, or start by the id \`${admitted.id}\``,
      { definitionId: admitted.id, version },
    );
  }
  return admitted;
}

const startOptionNames: readonly string[] = ["id", "version", "priority", "tags", "delay", "startAt"];

function checkStartOptions(options: StartOptions, withTx: boolean): void {
  checkObject("the options of a start", options);
  refuseUnknown("the options of a start", options, withTx ? [...startOptionNames, "tx"] : startOptionNames);
  if (withTx) checkTx(options);
  const { version } = options;
  if (version !== undefined && !Number.isInteger(version))
    throw new InvalidOptionError(`\`version\` must be a whole number, got ${describeValue(version)}`);
}

function checkTags(tags: readonly string[]): readonly string[] {
  if (!Array.isArray(tags) || tags.length > mostTags) {
    throw new InvalidOptionError(
      `\`tags\` must be an array of at most ${mostTags}, got ${Array.isArray(tags) ? tags.length : describeValue(tags)}`,
    );
  }
  return [...new Set(tags.map((tag) => checkName("a tag", tag)))];
}

function checkStartAt(shared: ClientShared, { delay, startAt }: StartOptions): number | null {
  if (delay !== undefined && startAt !== undefined)
    throw new InvalidOptionError("`delay` and `startAt` exclude each other: give one");
  if (delay !== undefined) return timeAfter(shared.core.engineNow(), parseDuration(delay, "delay"));
  return startAt === undefined ? null : checkTime("startAt", startAt);
}

/** Milliseconds since the epoch of a date. */
export function checkTime(name: string, time: unknown): number {
  const ms = parseTime(time);
  if (ms !== undefined) return ms;
  throw new InvalidOptionError(
    `\`${name}\` must be a valid date, or milliseconds since the epoch, got ${time instanceof Date ? "an invalid Date" : describeValue(time)}`,
  );
}

function accepted(workflow: NewWorkflow, created: CreatedWorkflow): CreatedWorkflow & { readonly id: string } {
  if (created.definitionId !== workflow.definitionId) throw idConflict(workflow, created.definitionId);
  return { ...created, id: workflow.id };
}

function idConflict({ id, namespace, definitionId }: NewWorkflow, there: string): WorkflowIdConflictError {
  return new WorkflowIdConflictError(
    `there is a workflow \`${id}\` already, of definition \`${there}\`, so none of definition \`${definitionId}\` was started: choose another id`,
    { workflowId: id, namespace, definitionId: there },
  );
}

/** Before anything of a batch is stored, so that a conflict which can be seen fails it as a whole. */
async function refuseConflicts(
  shared: ClientShared,
  namespace: string,
  workflows: readonly NewWorkflow[],
): Promise<void> {
  const byId = new Map<string, string>();
  const check = (index: number, workflow: NewWorkflow, there: string): void => {
    if (there !== workflow.definitionId) throw ofItem("startWorkflows", index, idConflict(workflow, there));
  };
  for (const [index, workflow] of workflows.entries()) {
    check(index, workflow, byId.get(workflow.id) ?? workflow.definitionId);
    byId.set(workflow.id, workflow.definitionId);
  }
  const rows = await shared.core.providers.persistence.find(
    namespace,
    workflows.map(({ id }) => id),
  );
  for (const [index, workflow] of workflows.entries()) {
    check(index, workflow, rows[index]?.definitionId ?? workflow.definitionId);
  }
}

function createIn(
  shared: ClientShared,
  tx: unknown,
  workflows: readonly NewWorkflow[],
): Awaitable<readonly CreatedWorkflow[]> {
  const { persistence } = shared.core.providers;
  if (persistence.createIn === undefined) throw shared.noTransactions("startWorkflow");
  return persistence.createIn(tx, workflows);
}

/** In a caller's transaction nothing is waited for: it may be over by then. */
function synchronous(prepared: Awaitable<NewWorkflow>): NewWorkflow {
  if (!(prepared instanceof Promise)) return prepared;
  prepared.catch(() => {});
  throw new InvalidOptionError(
    "the data's schema is asynchronous, which cannot be waited for inside `tx`: validate before, or use a synchronous schema",
  );
}
