import type { WorkflowDefinition } from "../definition/definition.ts";
import { StepCrashedError } from "../errors.ts";
import { cancelWhereAsked } from "./cancel-when.ts";
import { decideDelivery, suspendWhereOnlyHeld } from "./control.ts";
import { decideNextStep } from "./fast-lane.ts";
import type { DecideContext, Decision } from "./decision.ts";
import { advance, failNode, openNode } from "./flow.ts";
import type { Input } from "./inputs.ts";
import { startFirstHook } from "./hooks.ts";
import { childStragglerEnded, deliverStraggler } from "./stragglers.ts";
import { handlerOf } from "./kinds/handlers.ts";
import { resumeLoop } from "./kinds/loop.ts";
import { attemptReturned } from "./kinds/step.ts";
import { eventsCame, remind } from "./kinds/wait.ts";
import { suspendPoison } from "./poison.ts";
import { rootBranch, type Pointer, type WorkflowState } from "./state.ts";
import { storeError } from "./stored-error.ts";
import { Turn } from "./turn.ts";
import { stepUndo, undoFromJournal } from "./undo.ts";
import { isFinal, isPoison } from "./work.ts";

/**
 * Turns inputs into the entries of one turn, and says what must be committed with them. Pure: the same arguments give the same
 * decision, and the state given is left as it is.
 *
 * What went well is decided before what went wrong, so that a result that came in the same turn as a failure is on record and
 * not stopped; and how bodies ended whose attempt was over after what ended it.
 */
export function decide(
  definition: WorkflowDefinition,
  state: WorkflowState,
  inputs: readonly Input[],
  context: DecideContext,
): Decision {
  const [only] = inputs;
  const quick = only !== undefined && inputs.length === 1 ? decideNextStep(definition, state, only) : undefined;
  if (quick !== undefined) return quick;
  const turn = new Turn(definition, state, context);
  const failed = inputs.length > 1 && inputs.some((input) => input.kind === "attempt-threw");
  for (const input of failed ? inputs.toSorted((one, other) => rankOf(one) - rankOf(other)) : inputs) {
    decideInput(turn, input);
    turn.drain();
  }
  cancelWhereAsked(turn);
  suspendWhereOnlyHeld(turn);
  return turn.decision();
}

function rankOf({ kind }: Input): number {
  return kind === "attempt-threw" ? 1 : kind === "straggler-ended" ? 2 : 0;
}

function decideInput(turn: Turn, input: Input): void {
  switch (input.kind) {
    case "start": {
      const { identity, data, cursors, startAt } = input;
      const early = startAt !== undefined && startAt > turn.now;
      turn.emit({
        kind: "workflow-started",
        identity,
        data,
        ...(cursors === undefined ? {} : { cursors }),
        ...(early ? { startAt } : {}),
      });
      return early ? undefined : advance(turn, rootBranch, null);
    }
    case "begin": {
      const pointer = turn.pointer(input.pointer);
      if (pointer?.status === "ready" && !pointer.begun)
        turn.emit({ kind: "step-begun", pointer: pointer.id, step: pointer.step, attempt: pointer.attempt });
      return;
    }
    case "attempt-returned": {
      const pointer = current(turn, input);
      if (pointer === undefined) return resultLost(turn, input);
      try {
        attemptReturned(turn, pointer, input.value);
      } catch (thrown) {
        failNode(turn, pointer.id, { error: storeError(thrown), thrown, noRetry: true });
      }
      return;
    }
    case "attempt-threw": {
      const pointer = current(turn, input);
      if (pointer === undefined) resultLost(turn, input);
      else
        failNode(turn, pointer.id, {
          error: input.error,
          thrown: input.thrown,
          noRetry: input.unstorable === true,
          stillRuns: input.stillRuns === true,
        });
      return;
    }
    case "straggler-ended":
      return deliverStraggler(turn, input.pointer, input.returned, input.output);
    case "due":
      return timeCame(turn);
    case "events":
      return turn.draft.phase === "active" ? eventsCame(turn, input.pointer, input.streams) : undefined;
    case "delivery":
      if (input.delivery.kind === "child-ended") childStragglerEnded(turn, input.delivery);
      return decideDelivery(turn, input);
    case "journal":
      return turn.draft.phase === "active" ? undoFromJournal(turn, input.pointer, input.seq, input.entries) : undefined;
    case "continue":
      return goOn(turn);
  }
}

/** The pointer whose attempt this is; undefined where it has been stopped, or has moved on. */
function current(turn: Turn, attempt: { readonly pointer: number; readonly attempt: number }): Pointer | undefined {
  const pointer = turn.pointer(attempt.pointer);
  if (pointer === undefined || isFinal(turn.draft)) return undefined;
  if (pointer.kind === "run-workflow") return pointer.status === "waiting" ? pointer : undefined;
  return pointer.status === "ready" && pointer.attempt === attempt.attempt ? pointer : undefined;
}

/**
 * Where an undoing has failed for good nothing goes on, and what still ends beside it is not decided. A step whose `onCrash` has a say
 * is asked about that when the workflow is retried.
 */
function resultLost(
  turn: Turn,
  { pointer: id, attempt }: { readonly pointer: number; readonly attempt: number },
): void {
  const pointer = turn.pointer(id);
  if (turn.draft.stuckUndo === null || pointer?.status !== "ready" || !pointer.begun || pointer.attempt !== attempt)
    return;
  turn.emit({ kind: "attempts-abandoned", pointers: [id] });
}

/** Everything that is due at `now` happens, in order of time. What was stopped has its grace also where all else stands still. */
function timeCame(turn: Turn): void {
  if (turn.draft.phase === "active") timersCame(turn);
  for (const straggler of turn.draft.stragglers.values()) {
    if (straggler.until !== null && straggler.until <= turn.now && !straggler.ended)
      deliverStraggler(turn, straggler.pointer, false, undefined);
  }
}

function timersCame(turn: Turn): void {
  const due = [...turn.draft.pointers.values()].filter(
    (pointer) => pointer.dueAt !== null && pointer.dueAt <= turn.now,
  );
  for (const { id } of due.toSorted((a, b) => (a.dueAt ?? 0) - (b.dueAt ?? 0) || a.id - b.id)) {
    const pointer = turn.pointer(id);
    if (pointer?.dueAt == null || pointer.dueAt > turn.now || isFinal(turn.draft)) continue;
    handlerOf(pointer.kind).due(turn, pointer);
    turn.drain();
  }
  for (const pointer of turn.draft.pointers.values()) {
    if (pointer.wait?.remindAt != null && pointer.wait.remindAt <= turn.now) remind(turn, pointer);
  }
}

/** What is left from earlier turns: poison, crashed steps, loops that yielded, nodes to open again. */
function goOn(turn: Turn): void {
  if (turn.draft.phase !== "active") return;
  if (isPoison(turn.draft, turn.context.maxLoneDeaths)) return suspendPoison(turn);
  for (const { id } of turn.draft.pointers.values()) {
    const pointer = turn.pointer(id);
    // An undoing that failed stops everything where it stands.
    if (pointer === undefined || isFinal(turn.draft)) continue;
    if (pointer.crashed) crashed(turn, pointer);
    else if (pointer.status === "ready" && (pointer.kind === "while" || pointer.kind === "do-while"))
      resumeLoop(turn, pointer);
    else if (pointer.status === "ready" && pointer.kind !== "step")
      openNode(turn, id, pointer.branch, turn.node(pointer));
    else if (pointer.status === "undoing") stepUndo(turn, id);
    else startFirstHook(turn, id);
    turn.drain();
  }
}

/** A step with `onCrash` other than `"retry"` had begun, and nobody knows how far it came. */
function crashed(turn: Turn, pointer: Pointer): void {
  const node = turn.node(pointer);
  const error = new StepCrashedError(
    `step \`${node.id}\` may have been running when its host died or left it, or was told to end and did so without a result; its \`onCrash\` is "${node.onCrash}". Find out whether it took effect, then retry the workflow, or skip the step`,
    { stepId: node.id, attempt: pointer.attempt },
  );
  const stored = storeError(error);
  if (node.onCrash !== "suspend") return failNode(turn, pointer.id, { error: stored, thrown: error, noRetry: true });
  turn.emit({ kind: "step-held", pointer: pointer.id, step: pointer.step, attempt: pointer.attempt, error: stored });
  turn.emit({ kind: "workflow-suspended", reason: error.message, error: stored });
}
