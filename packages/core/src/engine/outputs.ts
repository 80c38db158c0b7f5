import { copy, diffPatch, handOut, sizeOf, type StoredPatch } from "../codec/index.ts";
import type { WorkflowDefinition } from "../definition/definition.ts";
import type { DefinitionNode } from "../definition/nodes.ts";
import { ExpressionError, LimitExceededError } from "../errors.ts";
import { atOf, dataAt, localBranch, refusePromise } from "./expressions.ts";
import type { Pointer } from "./state.ts";
import type { Turn } from "./turn.ts";

/** Where a node's output goes. */
export interface OutputPlan {
  readonly as?: string;
  readonly patch?: StoredPatch;
  readonly local?: number;
  readonly keep?: boolean;
  /** The output is not needed beside the patch, which has what is new of it. */
  readonly appends?: boolean;
}

/**
 * Applies `.as` or `.output`. Throws what an output map throws, and where the data would outgrow its limit.
 */
export function planOutput(turn: Turn, pointer: Pointer, node: DefinitionNode, output: unknown): OutputPlan {
  const keep = keepsOutput(turn.definition, node.id) ? { keep: true } : {};
  if (node.output !== undefined) {
    const patch = node.output(
      handOut(dataAt(turn.draft, pointer.branch)),
      handOut(output),
      atOf(turn.draft, pointer.branch, turn.now),
    );
    refusePromise(patch, "`.output`");
    if (typeof patch !== "object" || patch === null || Array.isArray(patch)) {
      throw new ExpressionError(
        `\`.output\` must give an object to merge into the data, got ${patch === null ? "null" : typeof patch}`,
        { stepId: node.id },
      );
    }
    const owned = copy(patch, {
      path: "output",
      maxBytes: turn.context.limits.dataBytes,
      maxDepth: turn.context.limits.depth,
    }) as Record<string, unknown>;
    checkSize(turn, node, owned);
    const local = node.outputOfItem === true ? localBranch(turn.draft, pointer.branch) : undefined;
    if (local === undefined) return { patch: diffPatch(turn.draft.data, owned), ...keep };
    return { patch: diffPatch(turn.branch(local)?.local ?? {}, owned), local, ...keep };
  }
  if (node.as === undefined) return keep;
  const local = localBranch(turn.draft, pointer.branch);
  const before = local === undefined ? turn.draft.data : (turn.branch(local)?.local ?? {});
  const change = { [node.as]: output };
  checkSize(turn, node, change);
  const target = local === undefined ? {} : { local };
  // An array that extends the one before is stored as what was added; anything else by its key alone, since the entry has the output.
  const stored = diffPatch(before, change);
  return stored.some((entry) => "append" in entry)
    ? { patch: stored, appends: true, ...target, ...keep }
    : { as: node.as, ...target, ...keep };
}

function checkSize(turn: Turn, node: DefinitionNode, change: Record<string, unknown>): void {
  let bytes = sizeOf(turn.draft.data);
  for (const [key, value] of Object.entries(change)) {
    bytes += sizeOf(value) - (Object.hasOwn(turn.draft.data, key) ? sizeOf(turn.draft.data[key]) : 0);
  }
  const limit = turn.context.limits.dataBytes;
  if (bytes > limit) {
    throw new LimitExceededError(
      `the workflow's data would grow to about ${bytes} bytes, the limit is ${limit}: keep large values elsewhere and their keys in the data, or raise \`limits.dataBytes\``,
      { workflowId: turn.draft.identity.id, stepId: node.id, limit },
    );
  }
}

const keeping = new WeakMap<WorkflowDefinition, Map<string, boolean>>();

/**
 * Whether someone asks for a node's output after it has ended: a following `decide` without a value, or a for-each with `as`
 * whose bodies' last outputs it collects, also through the branches and loops between.
 */
export function keepsOutput(definition: WorkflowDefinition, step: string): boolean {
  let known = keeping.get(definition);
  if (known === undefined) keeping.set(definition, (known = new Map()));
  let answer = known.get(step);
  if (answer === undefined) known.set(step, (answer = findKeeper(definition, step)));
  return answer;
}

function findKeeper(definition: WorkflowDefinition, step: string): boolean {
  const place = definition.index.places.get(step);
  if (place === undefined) return false;
  const next = place.block.nodes[place.position + 1];
  if (next !== undefined) return next.kind === "decide" && next.value === undefined;
  if (place.owner === null) return false;
  const owner = definition.index.places.get(place.owner)?.node;
  if (owner === undefined) return false;
  switch (owner.kind) {
    case "for-each":
      return place.slot === "body" && (owner.as !== undefined || owner.output !== undefined);
    case "if":
    case "decide":
    case "while":
    case "do-while":
      return !["compensation", "onFailure", "ensure"].includes(place.slot) && keepsOutput(definition, owner.id);
    default:
      return false;
  }
}
