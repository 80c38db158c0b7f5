import { copy } from "../../codec/index.ts";
import type { StepResult } from "../../definition/execution-result.ts";
import { isStepResult } from "../../definition/execution-result.ts";
import type { StepNode } from "../../definition/nodes.ts";
import { parseDuration, timeAfter } from "../../duration.ts";
import { evaluate } from "../expressions.ts";
import { completeNode, failNode } from "../flow.ts";
import type { Pointer, WaitState } from "../state.ts";
import { storeError } from "../stored-error.ts";
import type { Turn } from "../turn.ts";
import { withoutBranches, type KindHandler } from "./handler.ts";

/** A leaf whose body the host runs. */
export const step: KindHandler<"step"> = {
  ...withoutBranches,
  open(turn, id, branch, node) {
    turn.emit({ kind: "step-scheduled", pointer: id, branch, step: node.id, ...mappedInput(turn, branch, node) });
  },
  due(turn, pointer) {
    readyAgain(turn, pointer, {});
  },
};

/** Sets a sleeping, waiting or held step going again. Its input map is called where it has not given an input yet. */
export function readyAgain(
  turn: Turn,
  pointer: Pointer,
  how: { readonly fresh?: boolean; readonly raise?: boolean; readonly event?: NonNullable<Pointer["event"]> },
): void {
  const node = turn.node(pointer) as StepNode;
  try {
    const input = pointer.hasInput ? {} : mappedInput(turn, pointer.branch, node);
    turn.emit({ kind: "step-ready", pointer: pointer.id, step: pointer.step, ...how, ...input });
  } catch (thrown) {
    // Ready it became all the same: what the failure counts against is the new count of retries.
    turn.emit({ kind: "step-ready", pointer: pointer.id, step: pointer.step, ...how });
    failNode(turn, pointer.id, { error: storeError(thrown), thrown });
  }
}

function mappedInput(turn: Turn, branch: number, node: StepNode): { mapped?: boolean; input?: unknown } {
  if (node.input === undefined) return {};
  const { valueBytes, depth } = turn.context.limits;
  const input = copy(evaluate(turn.draft, branch, turn.now, "the input map", node.input), {
    path: "input",
    maxBytes: valueBytes,
    maxDepth: depth,
  });
  return input === undefined ? { mapped: true } : { mapped: true, input };
}

/** A body returned: an output, or a request to run again. */
export function attemptReturned(turn: Turn, pointer: Pointer, value: unknown): void {
  if (!isStepResult(value)) return completeNode(turn, pointer.id, value);
  const result: StepResult = value;
  const at = { kind: "step-paused", pointer: pointer.id, step: pointer.step } as const;
  switch (result.kind) {
    case "next":
    case "outcome":
      return completeNode(turn, pointer.id, result.output);
    case "persist":
      return turn.emit({ ...at, ...persisted(result.data) });
    case "sleep":
      return turn.emit({
        ...at,
        ...kept(result.data),
        dueAt: timeAfter(turn.now, parseDuration(result.duration, "the duration of `ExecutionResult.sleep`")),
      });
    case "wait-for-event": {
      const wait: WaitState = {
        mode: "one",
        streams: [{ label: "", name: result.name, key: result.key, since: turn.draft.identity.createdAt }],
        until: null,
        remindEveryMs: null,
        remindAt: null,
        got: {},
        forBody: true,
      };
      turn.emit({ ...at, ...kept(result.data), wait });
      const waiting = turn.pointer(pointer.id);
      if (waiting !== undefined) turn.subscribe(waiting);
    }
  }
}

function persisted(data: unknown): { persisted?: unknown } {
  return data === undefined ? {} : { persisted: data };
}

/** Without data of its own, what was kept before stays. */
function kept(data: unknown): { persisted?: unknown; keep?: boolean } {
  return data === undefined ? { keep: true } : { persisted: data };
}
