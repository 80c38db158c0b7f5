import type { WorkflowDefinition } from "../../definition/definition.ts";
import { readFacts, type ReadTurn } from "../../engine/failures.ts";
import type { Delivery, Input } from "../../engine/inputs.ts";
import { decodeEntries } from "../../engine/records.ts";
import { lacksCompensation, mayLackCompensation } from "../../engine/owed-undoing.ts";
import { findRetryBase, findWaitingBase, refusesChild } from "../../engine/retry-base.ts";
import { endedItemScope } from "../../engine/set-item.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { isFinal } from "../../engine/work.ts";
import { finalStatuses, type Run, type WorkflowRow } from "../../providers/records.ts";
import type { StoreReads } from "./store-reads.ts";

/** Calls that may go back in the history, go on with children that have ended, or are about what has ended or been done. */
type Repair = Extract<Delivery, { kind: "retry" | "resume" | "skip-step" | "set-item" | "migrate" | "child-retried" }>;
/** What a repair needs of the store. */
export type JournalReads = Pick<StoreReads, "find" | "journal">;
/** The versions of a definition that the host has. */
export type Versions = (version: number) => WorkflowDefinition | undefined;
type Found = Pick<Extract<Input, { kind: "delivery" }>, "base" | "scope" | "children">;

export function needsJournal(delivery: Delivery): delivery is Repair {
  return (
    delivery.kind === "retry" ||
    delivery.kind === "resume" ||
    delivery.kind === "skip-step" ||
    delivery.kind === "set-item" ||
    delivery.kind === "migrate" ||
    delivery.kind === "child-retried"
  );
}

/** Reads what is needed to decide a repair: of the journal, where it goes back in it, and which children can be retried themselves. */
export async function goingBack(
  reads: JournalReads,
  workflow: { readonly run: Run; readonly namespace: string },
  definition: WorkflowDefinition,
  state: WorkflowState,
  delivery: Repair,
  versions: Versions,
): Promise<Found> {
  if (delivery.kind === "migrate") {
    const target = versions(delivery.version);
    if (target === undefined || !mayLackCompensation(definition, target, state, delivery.steps)) return {};
    const turns = await journalOf(reads, workflow.run, state.seq);
    const refused = lacksCompensation(target, state, turns, delivery.steps);
    return refused === undefined ? {} : { base: { refused } };
  }
  if (state.stuckUndo !== null || state.phase === "completed") return {};
  const ended = isFinal(state);
  if (delivery.kind === "set-item") {
    if (!ended) return {};
    const found = endedItemScope(definition, await journalOf(reads, workflow.run, state.seq), delivery);
    return "refused" in found ? { base: found } : found;
  }
  const named = delivery.kind === "retry" && (delivery.from ?? delivery.item ?? delivery.execution) !== undefined;
  const goesBack =
    delivery.kind === "skip-step" ? state.phase === "failed" : ended ? delivery.kind !== "resume" : named;
  if (!goesBack) return { children: await endedChildren(reads, workflow, state.pointers.values()) };

  const refused = await refusedByParent(reads, workflow.namespace, state, delivery);
  if (refused !== undefined) return { base: { refused } };
  const turns = await journalOf(reads, workflow.run, state.seq);
  if (delivery.kind === "child-retried") return { base: findWaitingBase(definition, turns, delivery) };
  const target =
    delivery.kind === "retry"
      ? delivery
      : {
          from: delivery.kind === "skip-step" ? delivery.stepId : "",
          ...("item" in delivery ? { item: delivery.item ?? [] } : {}),
        };
  const base = findRetryBase(definition, turns, target);
  if ("refused" in base) return { base };
  const stood = [...base.state.pointers.values()].filter(({ id }) => base.frozen.has(id) && !base.held.has(id));
  return { base, children: await endedChildren(reads, workflow, stood) };
}

/** The children that pointers wait, or were held, for and that have ended. */
async function endedChildren(
  reads: JournalReads,
  { run, namespace }: { readonly run: Run; readonly namespace: string },
  pointers: Iterable<WorkflowState["pointers"] extends ReadonlyMap<number, infer Pointer> ? Pointer : never>,
): Promise<readonly string[]> {
  const awaited = new Map<string, number>();
  for (const { id, child } of pointers) if (child !== null) awaited.set(child.id, id);
  if (awaited.size === 0) return [];
  const rows = await reads.find(namespace, [...awaited.keys()]);
  const isOurs = (row: WorkflowRow | undefined): row is WorkflowRow =>
    row?.parent?.run === run && row.parent.pointer === awaited.get(row.id) && finalStatuses.includes(row.status);
  return rows.filter(isOurs).map(({ id }) => id);
}

/** A child whose parent has gone on without it, or was undone, would run for nothing: whoever asks for that is told. */
async function refusedByParent(
  reads: JournalReads,
  namespace: string,
  { identity, phase }: WorkflowState,
  delivery: Exclude<Repair, { kind: "set-item" | "migrate" }>,
): Promise<string | undefined> {
  const { parent, id } = identity;
  if (parent === null || phase === "suspended" || phase === "active") return undefined;
  if (delivery.kind === "retry" && delivery.byParent === true) return undefined;
  const [row] = await reads.find(namespace, [parent.workflowId]);
  // Removed by retention: nobody waits for it any more, and nobody would be told.
  if (row === undefined || row.run !== parent.run) return undefined;
  const turns = await journalOf(reads, parent.run, Number.MAX_SAFE_INTEGER);
  return refusesChild(readFacts(turns), { pointer: parent.pointer, childId: id });
}

async function journalOf(reads: JournalReads, run: Run, to: number): Promise<readonly ReadTurn[]> {
  const turns = await reads.journal(run, to);
  return turns.map(({ seq, entriesText }) => ({ seq, entries: decodeEntries(entriesText) }));
}
