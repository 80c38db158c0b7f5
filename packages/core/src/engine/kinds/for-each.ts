import { copy } from "../../codec/index.ts";
import type { ForEachNode } from "../../definition/nodes.ts";
import { ExpressionError, LimitExceededError } from "../../errors.ts";
import type { OpenBranch } from "../entries.ts";
import { evaluate } from "../expressions.ts";
import { advance, completeNode, failNode } from "../flow.ts";
import { resultChunk, type Pointer } from "../state.ts";
import type { Turn } from "../turn.ts";
import { withoutTimer, type KindHandler } from "./handler.ts";

const mostItems = 1_000_000;

/** The collection is fixed on entry and kept in the entry; items open as they can run. */
export const forEach: KindHandler<"for-each"> = {
  ...withoutTimer,
  open(turn, id, branch, node) {
    const items = collect(turn, evaluate(turn.draft, branch, turn.now, "the items of `forEach`", node.items), node);
    const open = Array.from({ length: Math.min(node.concurrency, items.length) }, (_, index) =>
      openItem(turn, node, index),
    );
    turn.emit({
      kind: "scope-opened",
      pointer: id,
      branch,
      step: node.id,
      node: "for-each",
      items,
      open,
      ...(collects(node) ? { collect: true } : {}),
    });
    if (items.length === 0) turn.later(() => completeNode(turn, id, outputOf(node, turn.pointer(id))));
    for (const item of open) turn.later(() => advance(turn, item.branch, null));
  },
  branchDone(turn, pointer) {
    const node = turn.node(pointer) as ForEachNode;
    const scope = pointer.scope;
    if (scope !== null && scope.next < scope.items.length) {
      const open = openItem(turn, node, scope.next);
      turn.emit({ kind: "branches-opened", pointer: pointer.id, step: node.id, open: [open] });
      turn.later(() => advance(turn, open.branch, null));
      return;
    }
    if (pointer.openBranches > 0) return;
    if (scope?.error != null) failNode(turn, pointer.id, { error: scope.error });
    else completeNode(turn, pointer.id, outputOf(node, pointer));
  },
  toleratesFailure: (turn, pointer) => (turn.node(pointer) as ForEachNode).onBranchFailure === "wait",
};

/** Items at the same time are lines of control of their own; one after the other they are a loop. */
function openItem(turn: Turn, node: ForEachNode, index: number): OpenBranch {
  return turn.openBranch(node.id, "body", {
    index,
    ...(node.sharesData === true ? {} : { local: {} }),
    ownLine: node.concurrency > 1,
  });
}

function collect(turn: Turn, value: unknown, node: ForEachNode): readonly unknown[] {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value)) {
    throw new ExpressionError(
      `the items of \`forEach\` must be an array or another iterable, got ${value === null ? "null" : typeof value}`,
      { stepId: node.id },
    );
  }
  const items: unknown[] = [];
  for (const item of value as Iterable<unknown>) {
    if (items.push(item) > mostItems)
      throw new LimitExceededError(`\`forEach\` takes at most ${mostItems} items: split the collection`, {
        stepId: node.id,
        limit: mostItems,
      });
  }
  return copy(items, {
    path: "items",
    maxBytes: turn.context.limits.dataBytes,
    maxDepth: turn.context.limits.depth,
  }) as readonly unknown[];
}

/** The bodies' last outputs, in order; a body that gave none counts as undefined. */
function outputOf(node: ForEachNode, pointer: Pointer | undefined): unknown {
  const scope = pointer?.scope;
  if (!collects(node) || scope?.results == null) return undefined;
  const { results, items } = scope;
  const all = Array.from(
    { length: items.length },
    (_, index) => results[Math.floor(index / resultChunk)]?.[index % resultChunk],
  );
  return copy(all, { path: "as", maxBytes: Number.MAX_SAFE_INTEGER, maxDepth: 500 });
}

function collects(node: ForEachNode): boolean {
  return node.as !== undefined || node.output !== undefined;
}
