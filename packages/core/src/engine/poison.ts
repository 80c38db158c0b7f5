import { PoisonWorkflowError } from "../errors.ts";
import { storeError } from "./stored-error.ts";
import type { Turn } from "./turn.ts";

/** Its hosts died again and again while it ran alone: it is suspended, so that it takes no more of them with it. */
export function suspendPoison(turn: Turn): void {
  const { takeover, pointers, identity } = turn.draft;
  const steps = [...pointers.values()]
    .filter((pointer) => pointer.kind === "step" && pointer.status === "ready")
    .map((pointer) => `\`${pointer.step}\``);
  const error = new PoisonWorkflowError(
    `the host died ${takeover.loneDeaths} times while this workflow ran alone, in ${steps.length === 0 ? "no step" : `step ${steps.join(", ")}`} (does it call process.exit, run out of memory, or block the event loop?). Mend it, then resume the workflow, or terminate it`,
    { workflowId: identity.id },
  );
  turn.emit({ kind: "workflow-suspended", reason: error.message, error: storeError(error) });
}
