import { copy, encode } from "../../codec/index.ts";
import type { Delivery } from "../../engine/index.ts";
import {
  InvalidOptionError,
  LimitExceededError,
  RefusedError,
  ResultTimeoutError,
  WorkflowNotFoundError,
} from "../../errors.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { DeliveryOutcome, Run } from "../../providers/records.ts";
import type { ClientShared } from "./client-shared.ts";
import { copyRecord } from "./copy-record.ts";
import { checkBoolean, checkObject, checkWhole, refuseUnknown } from "./host-options.ts";
import { checkId, describeValue } from "./names.ts";
import { findAll } from "./store-calls.ts";
import { bounded, checkWaitOptions, type WaitOptions } from "./wait-bounds.ts";
import type { LookUp } from "./watch.ts";
import type { WorkflowKey } from "./workflow-end.ts";

/** A call that was accepted: it is stored, and the workflow will read it. */
export interface Accepted {
  /**
   * Resolves when the workflow has applied the call, rejects with a `RefusedError` and its reason when it has refused it, and with a
   * `WorkflowNotFoundError` where retention has removed the workflow first. It is pending for as long as no host runs the workflow.
   */
  readonly applied: (options?: WaitOptions) => Promise<void>;
}

/** The delivery whose outcome is waited for. */
export interface OutcomeKey {
  readonly run: Run;
  readonly number: number;
  /** The workflow it was for; absent where the outcome is told, not asked for. */
  readonly workflow?: WorkflowKey;
}

/** How a call was answered; `missing`: its workflow is not there any more. */
export type CallOutcome = DeliveryOutcome | "missing";

export interface SuspendOptions {
  /** For the history and for whoever looks at the workflow. */
  readonly reason?: string;
}

export interface TerminateOptions {
  /** For the history, and the error that `result()` rejects with. */
  readonly reason?: string;
  /** Whether what was done is undone first, as after a failure. Default `false`. */
  readonly compensate?: boolean;
}

export interface RetryOptions {
  /** The id of the step to go back to. Default: all that failed; after undoing the earliest step that was undone. */
  readonly from?: string;
  /**
   * The number of the `forEach` item or loop iteration around the step, from 0; of nested ones a list, the innermost last. What else
   * has failed then waits for a decision of its own.
   */
  readonly item?: number | readonly number[];
  /** One execution of a step, by its `executionId` in the history. */
  readonly execution?: string;
}

export interface SkipOptions {
  /** As for a retry: which item or iteration is meant. Default: the one that failed, or any; where several failed, the call is refused. */
  readonly item?: number | readonly number[];
}

export interface MigrateOptions {
  /** The new ids of steps that are called otherwise in the new version, by their old ones. */
  readonly steps?: Readonly<Record<string, string>>;
}

/** What a caller asks of a workflow, without who asks. */
type Unsigned<Kind extends Delivery["kind"]> = Omit<Extract<Delivery, { kind: Kind }>, "actor">;

export function suspendDelivery(options: SuspendOptions): Unsigned<"suspend"> {
  checkOptions(options, ["reason"]);
  return { kind: "suspend", ...reasonOf(options.reason) };
}

export function terminateDelivery(options: TerminateOptions): Unsigned<"terminate"> {
  checkOptions(options, ["reason", "compensate"]);
  return {
    kind: "terminate",
    ...reasonOf(options.reason),
    compensate: checkBoolean("compensate", options.compensate ?? false),
  };
}

export function retryDelivery(options: RetryOptions): Unsigned<"retry"> {
  checkOptions(options, ["from", "item", "execution"]);
  const { from, item, execution } = options;
  return {
    kind: "retry",
    ...(from === undefined ? {} : { from: checkStepId("`from`", from) }),
    ...itemOf(item),
    ...(execution === undefined ? {} : { execution: checkStepId("`execution`", execution) }),
  };
}

export function skipDelivery(
  shared: ClientShared,
  stepId: string,
  output: unknown,
  options: SkipOptions,
): Unsigned<"skip-step"> {
  const { valueBytes, depth } = shared.core.options.limits;
  checkOptions(options, ["item"]);
  return {
    kind: "skip-step",
    stepId: checkStepId("`stepId`", stepId),
    ...itemOf(options.item),
    output: copy(output, { path: "output", maxBytes: valueBytes, maxDepth: depth }),
  };
}

export function setItemDelivery(
  shared: ClientShared,
  stepId: string,
  index: number | readonly number[],
  item: unknown,
): Unsigned<"set-item"> {
  const { valueBytes, depth } = shared.core.options.limits;
  const numbers: readonly unknown[] = Array.isArray(index) ? (itemOf(index as readonly number[]).item ?? []) : [index];
  const around = numbers.slice(0, -1) as readonly number[];
  return {
    kind: "set-item",
    stepId: checkStepId("`stepId`", stepId),
    index: checkWhole("index", numbers.at(-1), 0, mostItems),
    ...(around.length === 0 ? {} : { around }),
    item: copy(item, { path: "item", maxBytes: valueBytes, maxDepth: depth }),
  };
}

export function setDataDelivery(shared: ClientShared, patch: Readonly<Record<string, unknown>>): Unsigned<"set-data"> {
  return { kind: "set-data", patch: copyRecord("the patch of `setData`", "patch", patch, shared.core.options.limits) };
}

export function migrateDelivery(version: number, options: MigrateOptions): Unsigned<"migrate"> {
  if (!Number.isInteger(version))
    throw new InvalidOptionError(`\`toVersion\` must be the number of a version, got ${describeValue(version)}`);
  checkOptions(options, ["steps"]);
  const { steps } = options;
  if (steps === undefined) return { kind: "migrate", version };
  checkObject("`steps`", steps);
  const checked = Object.entries(steps).map(([from, to]) => [from, checkStepId(`\`steps.${from}\``, to)] as const);
  return { kind: "migrate", version, steps: Object.fromEntries(checked) };
}

const mostItems = 1_000_000;
/** As deep as the engine nests. */
const mostNumbers = 100;

function itemOf(item: number | readonly number[] | undefined): { readonly item?: readonly number[] } {
  if (item === undefined) return {};
  const numbers: readonly unknown[] = Array.isArray(item) ? item : [item];
  if (numbers.length === 0 || numbers.length > mostNumbers)
    throw new InvalidOptionError(`\`item\` must name 1 to ${mostNumbers} numbers, got ${numbers.length}`);
  return { item: numbers.map((number) => checkWhole("item", number, 0, Number.MAX_SAFE_INTEGER)) };
}

/** Puts a call into a workflow's inbox. Resolves when it is stored. */
export async function deliver(shared: ClientShared, key: WorkflowKey, delivery: Delivery): Promise<Accepted> {
  const { namespace, id } = key;
  checkId(id);
  const { runtime, options } = shared.core;
  const row = await shared.store.find(key);
  if (row === undefined) throw new WorkflowNotFoundError(id, namespace);

  const result = await shared.store.deliver({
    deliveryId: runtime.randomId(),
    to: row.run,
    kind: delivery.kind,
    bodyText: encode(delivery),
    keepOutcome: true,
    exempt: false,
  });
  if (result.outcome === "no-such-workflow") throw new WorkflowNotFoundError(id, namespace);
  if (result.outcome === "inbox-full") {
    const limit = options.limits.inboxDeliveries;
    throw new LimitExceededError(
      `workflow \`${id}\` has ${limit} unread calls and takes no more: let a host that runs it catch up, and call again`,
      { workflowId: id, namespace, limit },
    );
  }
  shared.wake([row.run]);
  const { number } = result;
  const outcomeKey = { run: row.run, number, workflow: key };
  return { applied: (waitOptions = {}) => applied(shared, key, outcomeKey, delivery.kind, waitOptions) };
}

/** What the store says of how deliveries were answered. */
export async function lookUpOutcomes(
  persistence: PersistenceProvider,
  keys: readonly OutcomeKey[],
): Promise<readonly LookUp<CallOutcome>[]> {
  const outcomes = await persistence.deliveryOutcomes(keys.map(({ run, number }) => ({ run, number })));
  // What retention has deleted answers no more.
  const open = keys.filter((key, index) => outcomes[index] === undefined && key.workflow !== undefined);
  const rows = await findAll(
    persistence,
    open.map(({ workflow }) => workflow as WorkflowKey),
  );
  const missing = new Set(open.filter(({ run }, index) => rows[index]?.run !== run));
  return keys.map((key, index) => {
    const fact = outcomes[index] ?? (missing.has(key) ? ("missing" as const) : undefined);
    return fact === undefined ? { run: key.run } : { run: key.run, fact };
  });
}

function applied(
  shared: ClientShared,
  workflow: WorkflowKey,
  key: OutcomeKey,
  kind: string,
  options: WaitOptions,
): Promise<void> {
  const answer = awaitApplied(shared, workflow, key, kind, options);
  // As of a result: an answer that nobody looks at harms nobody.
  answer.catch(() => {});
  return answer;
}

async function awaitApplied(
  shared: ClientShared,
  { namespace, id }: WorkflowKey,
  key: OutcomeKey,
  kind: string,
  options: WaitOptions,
): Promise<void> {
  const bounds = checkWaitOptions(options);
  bounds.signal?.throwIfAborted();
  await shared.open();
  const timedOut = (): Error =>
    new ResultTimeoutError(
      `workflow \`${id}\` has not answered \`${kind}\` within ${bounds.timeoutMs} ms; the call stays in its inbox: see that a host runs its definition`,
      { workflowId: id, namespace },
    );
  const outcome = await bounded(shared.core.runtime.clock, shared.outcomes.wait(key), bounds, timedOut);
  if (outcome === "missing") throw new WorkflowNotFoundError(id, namespace);
  if (outcome.outcome === "applied") return;
  throw new RefusedError(
    `\`${kind}\` of workflow \`${id}\` was refused: ${outcome.reason ?? "no reason is on record"}`,
    { workflowId: id, namespace },
  );
}

function checkOptions(options: object, names: readonly string[]): void {
  checkObject("the options of this call", options);
  refuseUnknown("the options of this call", options, names);
}

const longestReason = 10_000;

function reasonOf(reason: string | undefined): { readonly reason?: string } {
  if (reason === undefined) return {};
  if (typeof reason !== "string" || reason.length > longestReason) {
    throw new InvalidOptionError(
      `\`reason\` must be a text of at most ${longestReason} characters, got ${describeValue(reason)}`,
    );
  }
  return { reason };
}

/** Ids of steps may be longer than names: they contain those of the containers around them. */
function checkStepId(what: string, stepId: unknown): string {
  if (typeof stepId === "string" && stepId !== "") return stepId;
  throw new InvalidOptionError(`${what} must be the id of a step, got ${describeValue(stepId)}`);
}
