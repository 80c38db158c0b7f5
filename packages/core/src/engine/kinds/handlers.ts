import type { NodeKind } from "../../definition/nodes.ts";
import { advance } from "../flow.ts";
import { finalize } from "../root.ts";
import { rootBranch } from "../state.ts";
import { branching } from "./branching.ts";
import { child } from "./child.ts";
import { ending, failing } from "./ending.ts";
import { forEach } from "./for-each.ts";
import { graph } from "./graph.ts";
import type { KindHandler } from "./handler.ts";
import { loop } from "./loop.ts";
import { parallel } from "./parallel.ts";
import { saga } from "./saga.ts";
import { step } from "./step.ts";
import { timer } from "./timer.ts";
import { wait } from "./wait.ts";

const workflow: KindHandler<"workflow"> = {
  open: () => undefined,
  branchDone: (turn) => finalize(turn, { kind: "completed", output: undefined }),
  toleratesFailure: () => false,
  /** It was to begin at this time. */
  due(turn) {
    turn.emit({ kind: "start-time-came" });
    turn.later(() => advance(turn, rootBranch, null));
  },
};

/** By kind. A function, since these files and the flow import each other. */
export function handlerOf(kind: NodeKind | "workflow"): KindHandler<any> {
  switch (kind) {
    case "workflow":
      return workflow;
    case "step":
      return step;
    case "if":
    case "decide":
      return branching;
    case "while":
    case "do-while":
      return loop;
    case "for-each":
      return forEach;
    case "parallel":
      return parallel;
    case "graph":
      return graph;
    case "saga":
      return saga;
    case "wait":
      return wait;
    case "delay":
    case "sleep-until":
      return timer;
    case "run-workflow":
      return child;
    case "end":
      return ending;
    case "fail":
      return failing;
  }
}
