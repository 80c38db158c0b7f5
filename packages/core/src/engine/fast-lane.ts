import type { WorkflowDefinition } from "../definition/definition.ts";
import { encode } from "../codec/index.ts";
import { isStepResult } from "../definition/execution-result.ts";
import type { DefinitionNode } from "../definition/nodes.ts";
import { usesCancelWhen } from "./cancel-when.ts";
import type { Decision, Effects } from "./decision.ts";
import { newPointer } from "./evolve/opening.ts";
import type { Input } from "./inputs.ts";
import { keepsOutput } from "./outputs.ts";
import type { Branch, WorkflowState } from "./state.ts";

/**
 * The turn that most turns are: a plain step has returned, and a plain step follows it in the same block. It is what the general
 * way would decide and fold, at a fraction of its cost (the tests compare the two); undefined: the general way is to decide.
 */
export function decideNextStep(
  definition: WorkflowDefinition,
  state: WorkflowState,
  input: Input,
): Decision | undefined {
  if (input.kind !== "attempt-returned" || state.phase !== "active" || isStepResult(input.value)) return undefined;
  const pointer = state.pointers.get(input.pointer);
  if (
    pointer === undefined ||
    pointer.status !== "ready" ||
    pointer.kind !== "step" ||
    pointer.attempt !== input.attempt
  )
    return undefined;
  const branch = state.branches.get(pointer.branch);
  const next = followerOf(definition, pointer.step);
  if (branch === undefined || branch.stopping || next === undefined) return undefined;

  const { attempt, step, id } = pointer;
  const { value } = input;
  const opened = state.nextId;
  const pointers = without(state.pointers, id);
  pointers.set(opened, newPointer(opened, branch.id, next.node.id, "step", state.seq + 1));
  const branches = state.branches.size === 1 ? new Map<number, Branch>() : new Map(state.branches);
  branches.set(branch.id, { ...branch, at: opened });
  return {
    entries: [
      value === undefined
        ? { kind: "step-completed", pointer: id, step, attempt }
        : { kind: "step-completed", pointer: id, step, attempt, output: value },
      { kind: "step-scheduled", pointer: opened, branch: branch.id, step: next.node.id },
    ],
    text: `[{"kind":"step-completed","pointer":${id},"step":${next.previousText},"attempt":${attempt}${value === undefined ? "" : `,"output":${encode(value)}`}},{"kind":"step-scheduled","pointer":${opened},"branch":${branch.id},"step":${next.text}}]`,
    state: { ...state, seq: state.seq + 1, pointers, branches, nextId: opened + 1 },
    effects: noEffects,
  };
}

/** A copy without this key. Most workflows stand at one place, and to fill a map from another one costs more than it holds. */
function without<Value>(map: ReadonlyMap<number, Value>, key: number): Map<number, Value> {
  if (map.size === 1 && map.has(key)) return new Map();
  const copied = new Map(map);
  copied.delete(key);
  return copied;
}

const noEffects: Effects = {
  subscribe: [],
  unsubscribe: [],
  read: [],
  startChildren: [],
  stopChildren: [],
  tellParent: null,
};

/** A step that follows another, and the ids of both as JSON. */
interface Follower {
  readonly node: DefinitionNode;
  readonly text: string;
  readonly previousText: string;
}

const followers = new WeakMap<WorkflowDefinition, Map<string, Follower>>();

/** The step that follows another, where neither has anything that the general way is needed for. */
function followerOf(definition: WorkflowDefinition, step: string): Follower | undefined {
  let known = followers.get(definition);
  if (known === undefined) followers.set(definition, (known = plainFollowers(definition)));
  return known.get(step);
}

function plainFollowers(definition: WorkflowDefinition): Map<string, Follower> {
  const plain = new Map<string, Follower>();
  if (usesCancelWhen(definition)) return plain;
  for (const [step, { node, block, position }] of definition.index.places) {
    const next = block.nodes[position + 1];
    const ends =
      node.kind === "step" &&
      node.as === undefined &&
      node.output === undefined &&
      node.compensation === undefined &&
      node.ensure === undefined;
    if (ends && !keepsOutput(definition, step) && next?.kind === "step" && next.input === undefined) {
      plain.set(step, { node: next, text: JSON.stringify(next.id), previousText: JSON.stringify(step) });
    }
  }
  return plain;
}
