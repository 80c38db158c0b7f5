import type { DefinitionNode, NodeKind } from "../../definition/nodes.ts";
import type { Branch, Pointer } from "../state.ts";
import type { Turn } from "../turn.ts";

/** The behaviour of one kind of node. */
export interface KindHandler<Kind extends NodeKind | "workflow"> {
  /**
   * A branch has come to the node: the pointer `id` is opened, or (after a retry) opened again. What a definition's own function
   * throws passes through, and fails the node.
   */
  open(turn: Turn, id: number, branch: number, node: Extract<DefinitionNode, { kind: Kind }>): void;
  /** A branch of the node has ended well, or with a failure that is tolerated. `output`: its last output, where it was kept. */
  branchDone(turn: Turn, pointer: Pointer, branch: Branch, output: unknown): void;
  /** Whether a failed branch leaves the others running. */
  toleratesFailure(turn: Turn, pointer: Pointer, branch: Branch): boolean;
  /** The pointer's `dueAt` has come. */
  due(turn: Turn, pointer: Pointer): void;
}

/** For kinds without branches. */
export const withoutBranches: Pick<KindHandler<never>, "branchDone" | "toleratesFailure"> = {
  branchDone: () => undefined,
  toleratesFailure: () => false,
};

/** For kinds that time does not move. */
export const withoutTimer: Pick<KindHandler<never>, "due"> = { due: () => undefined };
