import type { WorkflowDefinition } from "../definition/definition.ts";
import type { ReadTurn } from "./failures.ts";
import { currentStep, type UndoRecord, type UndoRef, type WorkflowState } from "./state.ts";

type Steps = Readonly<Record<string, string>>;

/**
 * Whether another definition may lack a compensation that a workflow with this state needs. Only then the journal has to be read for
 * it. `from`: the definition that it runs by; undefined: nobody knows that one.
 */
export function mayLackCompensation(
  from: WorkflowDefinition | undefined,
  target: WorkflowDefinition,
  state: WorkflowState,
  steps: Steps = {},
): boolean {
  if (![...state.pointers.values()].some(({ scope }) => scope?.undo != null || scope?.walk != null)) return false;
  if (from === undefined) return true;
  for (const step of from.index.places.keys())
    if (hasCompensation(from, step) && !hasCompensation(target, named(steps, step))) return true;
  return false;
}

/**
 * Why a workflow could not be undone by another definition, after a failure to come or in the undoing that is under way; undefined: it
 * could. What has to be undone is a chain through the journal.
 */
export function lacksCompensation(
  target: WorkflowDefinition,
  state: WorkflowState,
  turns: readonly ReadTurn[],
  steps: Steps = {},
): string | undefined {
  const entriesOf = new Map(turns.map(({ seq, entries }) => [seq, entries]));
  const lacks = (step: string): boolean => !hasCompensation(target, named(steps, step));
  const inChain = (newest: UndoRef | null, passed: readonly UndoRef[] = []): string | undefined => {
    for (let ref = newest; ref !== null;) {
      const { seq, index } = ref;
      const entry = entriesOf.get(seq)?.[index];
      const undo = entry !== undefined && "undo" in entry ? entry.undo : undefined;
      if (undo === undefined) return undefined;
      if (!passed.some((one) => one.seq === seq && one.index === index)) {
        const step = currentStep(state, undo.record.step);
        if (undo.record.own && lacks(step)) return step;
        const inner = inChain(undo.record.inner ?? null, undo.record.void);
        if (inner !== undefined) return inner;
      }
      ref = undo.previous;
    }
    return undefined;
  };
  for (const { scope } of state.pointers.values()) {
    if (scope === null) continue;
    const { walk } = scope;
    const found =
      walk === null
        ? inChain(scope.undo, scope.void)
        : (ownOf(walk.current, lacks) ??
          inChain(walk.next, scope.void) ??
          first(walk.stack, ({ own, resume }) => ownOf(own, lacks) ?? inChain(resume, scope.void)));
    if (found !== undefined)
      return `step \`${found}\` has been done and would be undone after a failure, and version ${target.version} has no compensation for it: leave it there, and if the step is called otherwise there, say so with \`steps\``;
  }
  return undefined;
}

/** Of what is being undone already. */
function ownOf(record: UndoRecord | null, lacks: (step: string) => boolean): string | undefined {
  return record !== null && record.own && lacks(record.step) ? record.step : undefined;
}

function first<Item>(items: readonly Item[], find: (item: Item) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

function hasCompensation({ index }: WorkflowDefinition, step: string): boolean {
  return index.block(step, "compensation") !== undefined;
}

function named(steps: Steps, step: string): string {
  return Object.hasOwn(steps, step) ? (steps[step] ?? step) : step;
}
