import { startFirstHook } from "./hooks.ts";
import type { Delivery } from "./inputs.ts";
import { lateChildMissing } from "./kinds/child.ts";
import type { Turn } from "./turn.ts";
import { stepUndo } from "./undo.ts";

/** What went on though its attempt was over has ended (or its grace has): what waits for that may go on, and knows what it gave. */
export function deliverStraggler(turn: Turn, id: number, returned: boolean, output: unknown): void {
  const straggler = turn.draft.stragglers.get(id);
  if (straggler === undefined) return lateChildMissing(turn, id);
  if (straggler.ended) return;
  turn.emit({ kind: "straggler-ended", pointer: id, returned, ...(output === undefined ? {} : { output }) });
  if (straggler.saga === id) startFirstHook(turn, id);
  else stepUndo(turn, straggler.saga);
}

/** A stopped child has ended. */
export function childStragglerEnded(turn: Turn, delivery: Extract<Delivery, { kind: "child-ended" }>): void {
  if (turn.draft.stragglers.get(delivery.pointer)?.until === null)
    deliverStraggler(turn, delivery.pointer, false, undefined);
}
