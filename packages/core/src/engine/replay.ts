import type { WorkflowDefinition } from "../definition/definition.ts";
import { defaultLimits, type DecideContext } from "./decision.ts";
import { decide } from "./decide.ts";
import type { Entry } from "./entries.ts";
import { evolveTurn, initialState } from "./evolve.ts";
import { isOpening, type ReadTurn } from "./failures.ts";
import type { Input } from "./inputs.ts";
import { candidatesFor } from "./replay-inputs.ts";
import { differenceOf, shiftMs, shown, type EntryDifference } from "./replay-compare.ts";
import type { WorkflowState } from "./state.ts";
import { storeError } from "./stored-error.ts";

/** A turn as a history has it, with the time of its commit. */
export interface TimedTurn extends ReadTurn {
  readonly at: number;
}

/** A place where a definition would go another way than a history went. */
export interface ReplayDifference {
  readonly seq: number;
  readonly at: number;
  /** The step that had just ended, begun or failed there. */
  readonly stepId: string | undefined;
  /** What the history says came of it. */
  readonly recorded: readonly Entry[];
  /** What would come of it now. Empty where it cannot be said, and `reason` says why. */
  readonly now: readonly Entry[];
  readonly reason: string;
}

/** Turns that no decision made, or that a person made: they are taken as they are. */
const given: ReadonlySet<Entry["kind"]> = new Set([
  "workflow-forked",
  "workflow-imported",
  "workflow-retried",
  "workflow-migrated",
  "taken-over",
  "attempts-abandoned",
  "attempt-lost",
  "run-alone",
  "child-awaited",
]);

/**
 * Decides every turn of a history again, with another definition and what the bodies gave then. No body runs; the definition's own
 * functions do. After a difference it goes on from what really happened, and what only came of the difference is not told again.
 */
export function replayTurns(definition: WorkflowDefinition, turns: readonly TimedTurn[]): readonly ReplayDifference[] {
  const differences: ReplayDifference[] = [];
  /** Pointers that would not be there. */
  const strange = new Set<number>();
  let state = initialState();
  for (const turn of turns) {
    const difference = judged(turn.entries, strange)
      ? replayTurn(definition, state, withoutRefusals(turn), turns)
      : undefined;
    if (difference !== undefined) {
      differences.push(difference);
      for (const entry of difference.recorded) if (isOpening(entry)) strange.add(entry.pointer);
    }
    // What is opened on the way of what would not be there would not be there either.
    else if (!judged(turn.entries, strange))
      for (const entry of turn.entries) if (isOpening(entry)) strange.add(entry.pointer);
    state = evolveTurn(state, turn);
  }
  return differences;
}

/** What was refused changed nothing; and of what was asked for, its record has only the name. */
function withoutRefusals(turn: TimedTurn): TimedTurn {
  return { ...turn, entries: turn.entries.filter(({ kind }) => kind !== "delivery-refused") };
}

function judged(entries: readonly Entry[], strange: ReadonlySet<number>): boolean {
  return entries.every(
    (entry) => !given.has(entry.kind) && !("pointer" in entry && strange.has(entry.pointer)) && !isRaw(entries, entry),
  );
}

/** A host suspends what it cannot go on with, whatever the definition says. */
function isRaw(entries: readonly Entry[], entry: Entry): boolean {
  return entries.length === 1 && entry.kind === "workflow-suspended";
}

/** Finds the inputs that give the turn, one after the other; undefined: there are such. */
function replayTurn(
  definition: WorkflowDefinition,
  before: WorkflowState,
  turn: TimedTurn,
  turns: readonly TimedTurn[],
): ReplayDifference | undefined {
  const recorded = turn.entries;
  let inputs: readonly Input[] = [];
  let best: Attempted = { entries: [], matched: 0 };
  if (recorded.length === 0) return undefined;
  while (best.matched < recorded.length || best.entries.length > recorded.length) {
    const next = recorded[best.matched];
    if (next === undefined) break;
    const state = evolvePart(before, turn, best.matched);
    let found: { readonly inputs: readonly Input[]; readonly attempted: Attempted } | undefined;
    let closest: Attempted | undefined;
    for (const candidate of candidatesFor(state, before, turn, best.matched, turns)) {
      const attempted = attempt(definition, before, [...inputs, candidate.input], turn, candidate.now);
      if (attempted.matched > (found?.attempted.matched ?? best.matched))
        found = { inputs: [...inputs, candidate.input], attempted };
      if (closest === undefined || attempted.matched > closest.matched) closest ??= attempted;
    }
    if (found === undefined) return difference(turn, best.matched, closest ?? best);
    inputs = found.inputs;
    best = found.attempted;
  }
  if (best.matched === recorded.length && best.entries.length === recorded.length) return undefined;
  return difference(turn, best.matched, best);
}

interface Attempted {
  readonly entries: readonly Entry[];
  /** How many entries from the beginning are those of the history. */
  readonly matched: number;
  /** Where the next one is another. */
  readonly difference?: EntryDifference | undefined;
  readonly error?: unknown;
}

function attempt(
  definition: WorkflowDefinition,
  before: WorkflowState,
  inputs: readonly Input[],
  turn: TimedTurn,
  now: number,
): Attempted {
  // With jitter, a pause may have been anything from half of it on.
  const [least, most] = [0, 0.999_999].map((random) => decided(definition, before, inputs, context(now, random)));
  if (least === undefined || most === undefined || "error" in least) return { entries: [], matched: 0, ...least };
  let shifted: readonly (readonly Entry[])[] | undefined;
  const atOtherTimes = (): readonly (readonly Entry[])[] =>
    (shifted ??= [shiftMs, -shiftMs].map((by) => {
      const other = decided(definition, before, inputs, context(now + by, 0));
      return "error" in other ? [] : other.entries;
    }));
  let matched = 0;
  let found: EntryDifference | undefined;
  for (const [number, entry] of turn.entries.entries()) {
    const one = least.entries[number];
    if (one === undefined) break;
    const other = "error" in most ? undefined : most.entries[number];
    const shiftedOnes = (): readonly unknown[] => atOtherTimes().map((entries) => entries[number]);
    found = differenceOf(entry, { least: one, most: other ?? one, shifted: shiftedOnes });
    if (found !== undefined) break;
    matched++;
  }
  return { entries: least.entries, matched, difference: found };
}

function decided(
  definition: WorkflowDefinition,
  before: WorkflowState,
  inputs: readonly Input[],
  how: DecideContext,
): { readonly entries: readonly Entry[] } | { readonly error: unknown } {
  try {
    return { entries: decide(definition, before, inputs, how).entries };
  } catch (error) {
    return { error };
  }
}

function context(now: number, random: number): DecideContext {
  return {
    now,
    random: () => random,
    maxLoneDeaths: Number.POSITIVE_INFINITY,
    limits: { ...defaultLimits, valueBytes: 1024 ** 3, dataBytes: 1024 ** 3, depth: 500 },
    definitionOf: () => undefined,
  };
}

/** The state after so many entries of a turn, at the seq before it. */
function evolvePart(before: WorkflowState, turn: TimedTurn, count: number): WorkflowState {
  if (count === 0) return before;
  return { ...evolveTurn(before, { seq: turn.seq, entries: turn.entries.slice(0, count) }), seq: before.seq };
}

function difference(turn: TimedTurn, matched: number, attempted: Attempted): ReplayDifference {
  const recorded = turn.entries.slice(matched);
  const now = attempted.entries.slice(Math.min(matched, attempted.matched));
  const at = turn.entries[matched - 1] ?? recorded[0];
  const stepId = at !== undefined && "step" in at && at.step !== "" ? at.step : undefined;
  const found = attempted.matched === matched ? attempted.difference : undefined;
  const reason =
    attempted.error === undefined ? reasonOf(recorded[0], now[0], found) : storeError(attempted.error).message;
  return { seq: turn.seq, at: turn.at, stepId, recorded, now, reason };
}

function reasonOf(recorded: Entry | undefined, now: Entry | undefined, found: EntryDifference | undefined): string {
  if (found !== undefined && said(recorded) === said(now))
    return `${said(recorded)}: \`${found.path}\` was ${shown(found.recorded)}, and is now ${shown(found.now)}`;
  return `then ${said(recorded)}, now ${said(now)}`;
}

function said(entry: Entry | undefined): string {
  if (entry === undefined) return "nothing more";
  return `${entry.kind.replaceAll("-", " ")}${"step" in entry && entry.step !== "" ? ` \`${entry.step}\`` : ""}`;
}
