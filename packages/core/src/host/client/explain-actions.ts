import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { JournalFacts, Opened } from "../../engine/failures.ts";
import type { Delivery } from "../../engine/index.ts";
import { executionId, type Pointer, type WaitStream, type WorkflowState } from "../../engine/state.ts";
import type { WorkflowRow } from "../../providers/records.ts";
import type { ClientShared } from "./client-shared.ts";
import {
  retryDelivery,
  setDataDelivery,
  setItemDelivery,
  skipDelivery,
  suspendDelivery,
  terminateDelivery,
  type RetryOptions,
} from "./control.ts";
import type { ExplainedAction, ExplainedFailure } from "./explain.ts";
import { refusedCalls } from "./refused-call.ts";

/** What is known of a workflow whose actions are asked for. */
export interface Explained {
  readonly row: WorkflowRow;
  readonly state: WorkflowState;
  readonly facts: JournalFacts;
  readonly failures: readonly ExplainedFailure[];
  readonly parent: WorkflowRow | undefined;
}

/** Of what could be skipped, so many are asked about. */
const mostSkippable = 5;

/** The calls that make sense now. None that the workflow would refuse: each is asked for first. */
export async function actionsOf(shared: ClientShared, of: Explained): Promise<readonly ExplainedAction[]> {
  const { row, state, parent } = of;
  const offer = new Offer(shared, of);
  if (state.stuckUndo !== null) {
    await offer.retry({}, "repeat the undoing that failed, and undo the rest");
    await offer.terminate("end it where it stands, and leave the rest done");
    return offer.actions;
  }
  const failed = state.phase === "failed" || state.phase === "terminated";
  const inner = of.failures.find(({ workflowId }) => workflowId !== row.id);
  if (inner !== undefined)
    offer.add("explain", [inner.workflowId], "see the child that failed; when it is retried, this workflow goes on");
  if (failed || state.phase === "suspended") await offerRepairs(shared, of, offer);
  const { forkAt } = of.facts;
  if ((failed || state.phase === "completed") && forkAt !== undefined)
    offer.add(
      "forkWorkflow",
      [row.id, { at: forkAt }],
      "run it again from that or an earlier point of its history, as another workflow",
    );
  if (state.phase === "active") await offerWhileActive(shared, of, offer);
  if (!failed && state.phase !== "completed")
    await offer.terminate("end it; with `compensate`, what was done is undone first");
  if (parent !== undefined) offer.add("explain", [parent.id], `see its parent, which is ${parent.status}`);
  return offer.actions;
}

async function offerRepairs(shared: ClientShared, of: Explained, offer: Offer): Promise<void> {
  const { row, state, facts, failures } = of;
  const { id } = row;
  const own = failures.find(({ workflowId }) => workflowId === id);
  if (own !== undefined) {
    await offer.call(
      ["setData", [id], "correct its data; the keys that are given are set"],
      setDataDelivery(shared, {}),
    );
    const definition = shared.core.registry.get(state.identity.definitionId, state.identity.version);
    const item = definition === undefined ? undefined : itemOf(definition, of, own);
    if (item !== undefined)
      await offer.call(
        ["setItem", [id, item.step, item.index], "correct the item, whose collection was fixed on entry"],
        setItemDelivery(shared, item.step, item.index, null),
      );
  }
  if (state.phase === "suspended" && failures.length === 0)
    await offer.call(["resumeWorkflow", [id], "let it go on from where it stands"], { kind: "resume" });
  else if (state.phase === "suspended") await offer.retry({}, "go on, with new retries for what failed");
  else if (facts.undone.length > 0) await offer.retry({}, "begin again at the earliest step that was undone");
  else await offer.retry({}, "run again what failed, and nothing else");
  if (own === undefined || own.stepId === "") return;
  const inItem = own.item.length === 0 ? {} : { item: [...own.item] };
  if (own.item.length > 0) await offer.retry({ from: own.stepId, ...inItem }, "retry that item alone");
  const skipped = await offer.skip(own.stepId, {}, "give the step its output by hand, and go on");
  if (!skipped && own.item.length > 0)
    await offer.skip(own.stepId, inItem, "give the step of that item its output by hand, and go on");
}

async function offerWhileActive(shared: ClientShared, { row, state }: Explained, offer: Offer): Promise<void> {
  const live = [...state.pointers.values()];
  const [event] = live.flatMap(awaitedBy);
  if (event !== undefined) offer.add("publishEvent", [event.name, event.key], "publish what it waits for");
  const running = live.find(({ status, child }) => status === "waiting" && child !== null)?.child;
  // It is created after the turn that asks for it.
  if (running != null && (await shared.store.find({ namespace: row.namespace, id: running.id })) !== undefined)
    offer.add("explain", [running.id], "see the child that it waits for");
  const skippable = live.filter(({ status }) => status === "waiting" || status === "sleeping" || status === "held");
  for (const { step } of skippable.slice(0, mostSkippable))
    if (await offer.skip(step, {}, "give a step its output by hand, and go on")) break;
  await offer.call(["suspendWorkflow", [row.id], "stop it until it is resumed"], suspendDelivery({}));
}

/** The events that a wait has not got yet. */
export function awaitedBy({ wait }: Pointer): readonly WaitStream[] {
  return (wait?.streams ?? []).filter(({ label }) => !Object.hasOwn(wait?.got ?? {}, label));
}

/** The `forEach` nearest around a failure, and the number of the item in it; with outer ones around that, all their numbers. */
function itemOf(
  { index: { places } }: WorkflowDefinition,
  { state, facts: { opened } }: Explained,
  failure: ExplainedFailure,
): { readonly step: string; readonly index: number | readonly number[] } | undefined {
  const isIt = ({ pointer }: Opened): boolean => executionId(state, pointer) === failure.executionId;
  const failed = [...opened.values()].find(isIt);
  for (const pointer of failed?.around ?? []) {
    const place = opened.get(pointer);
    if (place === undefined || places.get(place.step)?.node.kind !== "for-each") continue;
    const numbers = failure.item.slice(0, place.indexes.length + 1);
    const [first] = numbers;
    if (first === undefined || numbers.length <= place.indexes.length) return undefined;
    return { step: place.step, index: numbers.length === 1 ? first : numbers };
  }
  return undefined;
}

class Offer {
  readonly actions: ExplainedAction[] = [];
  readonly #shared: ClientShared;
  readonly #id: string;
  readonly #refuses: (delivery: Delivery) => Promise<string | undefined>;

  constructor(shared: ClientShared, { row, state }: Explained) {
    this.#shared = shared;
    this.#id = row.id;
    // Before its first turn there is nothing to ask: what is asked of it waits for that.
    this.#refuses = state.seq < 0 ? async () => undefined : refusedCalls(shared, row, state);
  }

  add(call: string, args: readonly unknown[], text: string): void {
    this.actions.push({ call, arguments: args, text });
  }

  /** Whether it is offered. */
  async call([call, args, text]: readonly [string, readonly unknown[], string], delivery: Delivery): Promise<boolean> {
    if ((await this.#refuses(delivery)) !== undefined) return false;
    this.add(call, args, text);
    return true;
  }

  retry(options: RetryOptions, text: string): Promise<boolean> {
    const args = Object.keys(options).length === 0 ? [this.#id] : [this.#id, options];
    return this.call(["retryWorkflow", args, text], retryDelivery(options));
  }

  skip(step: string, options: { readonly item?: readonly number[] }, text: string): Promise<boolean> {
    const args = options.item === undefined ? [this.#id, step] : [this.#id, step, undefined, options];
    return this.call(["skipStep", args, text], skipDelivery(this.#shared, step, undefined, options));
  }

  terminate(text: string): Promise<boolean> {
    return this.call(["terminateWorkflow", [this.#id], text], terminateDelivery({}));
  }
}
