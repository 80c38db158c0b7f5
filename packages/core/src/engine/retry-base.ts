import { Draft } from "./draft.ts";
import type { WorkflowDefinition } from "../definition/definition.ts";
import { readFacts, type Cause, type JournalFacts, type Opened, type Position, type ReadTurn } from "./failures.ts";
import { dependentsOf } from "./graph-dependents.ts";
import type { RetryBase } from "./inputs.ts";
import { renumber, strandedAt } from "./repair.ts";
import { choose, type Refused, type RetryTarget } from "./retry-choice.ts";
import { rootPointer, type WorkflowState } from "./state.ts";
import { unwind, type Cut, type Unwound } from "./unwind.ts";

/** A cut, and what becomes of it. */
interface PlannedCut extends Cut {
  /** Whether it goes on; others wait for a person. */
  readonly runs: boolean;
  /** Whether it begins as a new execution. */
  readonly renew: boolean;
  /** An execution that begins anew: a container asks its condition, or for its items, again. */
  readonly reopens?: number;
}

/**
 * Where a retry goes back to, found in the whole journal.
 *
 * What failed is live again just before it failed; what is named by `target` and had not failed, as it was about to begin. What had
 * nothing to do with it stays as it is. A scope that was undone goes back to its earliest undone step, and nothing later is
 * allowed: else what was undone would be built upon. What failed too and was not named is held for a person.
 */
export function findRetryBase(
  definition: WorkflowDefinition,
  turns: readonly ReadTurn[],
  target: RetryTarget,
): RetryBase | Refused {
  const facts = readFacts(turns);
  const undone = undoneScopes(facts);
  const chosen = choose(definition, facts, turns, target);
  if (chosen !== undefined && "refused" in chosen) return chosen;
  const cuts = planCuts(definition, facts, undone, chosen);
  if ("refused" in cuts) return cuts;
  const [first] = cuts.filter(({ runs }) => runs);
  return baseOf(definition, facts, turns, cuts, stepAt(turns, facts, first));
}

/** What is live where a retry of all that failed goes back to, under the ids that it had; undefined: nothing failed. */
export function liveAfterRetry(turns: readonly ReadTurn[], facts: JournalFacts): Unwound | undefined {
  const cuts = cutsOfAll(facts, undoneScopes(facts));
  return "refused" in cuts ? undefined : unwindTo(turns, notBefore(facts, cuts));
}

/**
 * The same for a workflow whose child is being retried: it waits for it again. Refused where the workflow has gone on without the
 * child, or was undone.
 */
export function findWaitingBase(
  definition: WorkflowDefinition,
  turns: readonly ReadTurn[],
  child: { readonly pointer: number; readonly childId: string },
): RetryBase | Refused {
  const facts = readFacts(turns);
  const refused = refusesChild(facts, child);
  if (refused !== undefined) return { refused };
  const cuts = facts.causes.map(({ pointer, at }): PlannedCut => ({
    pointer,
    at,
    runs: pointer === child.pointer,
    renew: false,
  }));
  const base = baseOf(
    definition,
    facts,
    turns,
    withUndone(cuts, undoneScopes(facts), facts),
    stepOf(facts, child.pointer),
  );
  return "refused" in base ? base : { ...base, awaits: child.pointer };
}

/** Why a workflow cannot wait for a child again that had ended; undefined: it can. */
export function refusesChild(
  facts: JournalFacts,
  child: { readonly pointer: number; readonly childId: string },
): string | undefined {
  const { state } = facts;
  const id = `\`${state.identity.id}\``;
  const live = state.pointers.get(child.pointer);
  if (live?.child?.id === child.childId && (live.status === "waiting" || live.status === "held")) return undefined;
  if (state.phase === "active" || state.phase === "suspended" || state.phase === "completed")
    return `its parent ${id} has gone on without it: \`forkWorkflow\` it, to run it on its own`;
  const cause = facts.causes.find(({ pointer }) => pointer === child.pointer);
  if (cause === undefined || facts.opened.get(child.pointer) === undefined)
    return `its parent ${id} is ${state.phase}, and not because of it: retry the parent`;
  const undone = undoneScopes(facts).find(({ saga }) => saga === rootPointer || cause.around.includes(saga));
  if (undone !== undefined)
    return `in its parent ${id}, step \`${undone.step}\` was undone: retry the parent, which begins there again`;
  return undefined;
}

interface UndoneScope {
  readonly saga: number;
  /** The earliest step in it that was undone, as it was opened. */
  readonly at: Position;
  readonly step: string;
}

/** The outermost scopes that were undone on the way of a failure to the end of the workflow. */
function undoneScopes({ undone, causes, opened }: JournalFacts): readonly UndoneScope[] {
  const scopes = new Map<number, UndoneScope>();
  const whole = undone.some(({ saga }) => saga === rootPointer);
  const undoneSagas = new Set(undone.map(({ saga }) => saga));
  for (const { saga, around, pointer } of undone) {
    const involved = [saga, ...around].filter(
      (one) =>
        undoneSagas.has(one) && (whole || causes.some((cause) => cause.pointer === one || cause.around.includes(one))),
    );
    const outermost = involved.at(-1);
    const at = opened.get(pointer);
    if (outermost === undefined || at === undefined) continue;
    const before = scopes.get(outermost);
    if (before === undefined || isBefore(at.at, before.at))
      scopes.set(outermost, { saga: outermost, at: at.at, step: at.step });
  }
  return [...scopes.values()];
}

function planCuts(
  definition: WorkflowDefinition,
  facts: JournalFacts,
  undone: readonly UndoneScope[],
  chosen: readonly Opened[] | undefined,
): readonly PlannedCut[] | Refused {
  if (chosen === undefined) return cutsOfAll(facts, undone);
  const cuts: PlannedCut[] = [];
  for (const execution of chosen) {
    const cut = cutOfOne(facts, undone, execution);
    if ("refused" in cut) return cut;
    cuts.push(cut.renew ? { ...cut, withhold: dependentsOf(definition, facts, execution) } : cut);
  }
  if (cuts.some(({ pointer }) => pointer === rootPointer)) return cuts;
  const others = facts.causes
    .filter(({ pointer }) => !cuts.some((cut) => cut.pointer === pointer))
    .map(({ pointer, at }): PlannedCut => ({ pointer, at, runs: false, renew: false }));
  return withUndone([...cuts, ...others], undone, facts);
}

function cutsOfAll(facts: JournalFacts, undone: readonly UndoneScope[]): readonly PlannedCut[] | Refused {
  const { causes, ending } = facts;
  const whole = undone.find(({ saga }) => saga === rootPointer);
  if (whole !== undefined) return [{ pointer: rootPointer, at: whole.at, runs: true, renew: true }];
  if (causes.length > 0) {
    const cuts = causes.map(({ pointer, at }): PlannedCut => ({ pointer, at, runs: true, renew: false }));
    return withUndone(cuts, undone, facts);
  }
  if (ending === undefined) return { refused: "the journal names no step that failed: give `from`" };
  return [{ pointer: rootPointer, at: ending, runs: true, renew: false }];
}

/** Cuts inside a scope that was undone are one cut of that scope. */
function withUndone(
  cuts: readonly PlannedCut[],
  undone: readonly UndoneScope[],
  { causes, opened }: JournalFacts,
): readonly PlannedCut[] {
  if (undone.length === 0) return cuts;
  const around = (pointer: number): readonly number[] =>
    causes.find((cause) => cause.pointer === pointer)?.around ?? opened.get(pointer)?.around ?? [];
  const lifted = cuts.map((cut): PlannedCut => {
    // A saga that failed by itself and was undone begins again too, unless its cut says already where.
    const scope = undone.find(({ saga }) => (saga === cut.pointer ? !cut.renew : around(cut.pointer).includes(saga)));
    return scope === undefined ? cut : { ...cut, pointer: scope.saga, at: scope.at, renew: true };
  });
  return lifted.filter(
    (cut, place) =>
      !lifted.some(
        (other, index) => other.pointer === cut.pointer && (other.runs === cut.runs ? index < place : other.runs),
      ),
  );
}

function cutOfOne(
  { causes, episode, state }: JournalFacts,
  undone: readonly UndoneScope[],
  { pointer, step, around, at }: Opened,
): PlannedCut | Refused {
  const scope = undone.find(({ saga }) => saga === rootPointer || saga === pointer || around.includes(saga));
  if (scope !== undefined) {
    if (isBefore(scope.at, at))
      return {
        refused: `step \`${scope.step}\`, which comes before \`${step}\`, was undone: retry from it or from an earlier one`,
      };
    return { pointer: scope.saga, at, runs: true, renew: true };
  }
  const cause: Cause | undefined = causes.find((one) => one.pointer === pointer);
  if (cause !== undefined) return { pointer, at: cause.at, runs: true, renew: false };
  if (state.pointers.get(pointer)?.status === "held")
    return { pointer, at: { seq: state.seq, count: Number.POSITIVE_INFINITY }, runs: true, renew: false };
  // Beyond the last retry, all that was live then has been replaced.
  if (at.seq < episode) return { pointer: rootPointer, at, runs: true, renew: true, reopens: pointer };
  return { pointer, at, runs: true, renew: true, reopens: pointer };
}

/** What would be cut from before the last retry cannot be told from the rest: all goes back to there. */
function notBefore({ episode }: JournalFacts, planned: readonly PlannedCut[]): readonly PlannedCut[] {
  const early = planned.find(({ at, pointer }) => at.seq < episode && pointer !== rootPointer);
  return early === undefined ? planned : [{ ...early, pointer: rootPointer, runs: true, renew: true }];
}

function unwindTo(turns: readonly ReadTurn[], cuts: readonly PlannedCut[]): Unwound {
  return unwind(
    turns,
    cuts.map((cut) => atEnd(cut, turns)),
  );
}

function baseOf(
  definition: WorkflowDefinition,
  facts: JournalFacts,
  turns: readonly ReadTurn[],
  planned: readonly PlannedCut[],
  step: string,
): RetryBase | Refused {
  const cuts = notBefore(facts, planned);
  const unwound = unwindTo(turns, cuts);
  const cutAnew = cuts.flatMap((cut) => (cut.renew ? [...(unwound.cut.get(cut.pointer) ?? [])] : []));
  const renewed = new Set([...cutAnew, ...unwound.redone]);
  const { state: unwoundState, renamed } = renumber(unwound.state, renewed);
  const reopened = cuts.flatMap(({ reopens }) => (reopens === undefined ? [] : [renamed(reopens)]));
  const state = reopened.reduce(closed, unwoundState);
  if (state.pointers.get(rootPointer)?.openBranches === 0)
    return { refused: "at that point nothing was left to do: give the step to go back to by `from`" };
  const stranded = strandedAt(definition, state);
  if (stranded !== undefined) return { refused: stranded };
  const held = cuts.flatMap((cut) => (cut.runs ? [] : [...(unwound.cut.get(cut.pointer) ?? [])]));
  const frozen = new Set([...unwound.frozen].map(renamed));
  const targets = cuts.flatMap((cut) => (cut.runs ? [renamed(cut.reopens ?? cut.pointer)] : []));
  const { steps, last, corrected } = unwound;
  return {
    step,
    state,
    steps,
    frozen,
    renewed: new Set([...renewed].map(renamed)),
    held: new Set(held.map(renamed)),
    targets,
    last,
    corrected,
  };
}

/** A container as it stood before it opened its branches: only those that it opened at once are there. */
function closed(state: WorkflowState, id: number): WorkflowState {
  const pointer = state.pointers.get(id);
  if (pointer === undefined || pointer.scope === null) return state;
  const draft = new Draft(state);
  for (const branch of draft.branchesOf(id)) draft.removeBranch(branch.id);
  draft.changePointer(id, { status: "ready", scope: null, openBranches: 0, dueAt: null });
  return draft.done();
}

/** At the end of the journal, as a position in it. */
function atEnd<SomeCut extends Cut>(cut: SomeCut, turns: readonly ReadTurn[]): SomeCut {
  if (Number.isFinite(cut.at.count)) return cut;
  return { ...cut, at: { seq: cut.at.seq, count: turns.find(({ seq }) => seq === cut.at.seq)?.entries.length ?? 0 } };
}

function stepAt(turns: readonly ReadTurn[], facts: JournalFacts, cut: PlannedCut | undefined): string {
  if (cut === undefined) return "";
  if (cut.pointer !== rootPointer && !cut.renew) return stepOf(facts, cut.pointer);
  const entries = turns.find(({ seq }) => seq === cut.at.seq)?.entries;
  const entry = entries?.[cut.at.count - 1] ?? entries?.[cut.at.count];
  return entry !== undefined && "step" in entry ? entry.step : "";
}

function stepOf({ opened }: JournalFacts, pointer: number): string {
  return opened.get(pointer)?.step ?? "";
}

function isBefore(one: Position, other: Position): boolean {
  return one.seq < other.seq || (one.seq === other.seq && one.count < other.count);
}
