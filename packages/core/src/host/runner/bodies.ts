import type { Input } from "../../engine/inputs.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { isFinal } from "../../engine/work.ts";
import type { AbortReason } from "../../errors.ts";
import type { Body } from "./body.ts";

/** The bodies of one workflow that are at work, by pointer. */
export class Bodies {
  readonly #byPointer: Map<number, Body> = new Map();

  get size(): number {
    return this.#byPointer.size;
  }

  has(pointer: number): boolean {
    return this.#byPointer.has(pointer);
  }

  add(body: Body): void {
    this.#byPointer.set(body.pointer, body);
  }

  remove(body: Body): void {
    if (this.#byPointer.get(body.pointer) === body) this.#byPointer.delete(body.pointer);
  }

  abort(reason: AbortReason): void {
    for (const body of this.#byPointer.values()) body.abort(reason);
  }

  /** Whether any of them still matters to this state. */
  matterTo(state: WorkflowState): boolean {
    if (this.#byPointer.size === 0) return false;
    for (const body of this.#byPointer.values()) if (isAwaited(state, body) || isWanted(state, body)) return true;
    return false;
  }

  /** Tells those whose attempt is over to end. */
  follow(state: WorkflowState): void {
    for (const body of this.#byPointer.values()) {
      if (isWanted(state, body)) {
        if (state.phase !== "active") body.abort("suspended");
        continue;
      }
      body.abort(state.phase === "terminated" ? "terminated" : "cancelled");
      if (isAwaited(state, body)) body.becomeStraggler();
      else this.#leave(body);
    }
  }

  /** Leaves all of them behind; gives the pointers of those whose attempt was not over. */
  leave(reason: AbortReason): readonly number[] {
    const abandoned: number[] = [];
    for (const body of this.#byPointer.values()) {
      if (body.mode === "running") abandoned.push(body.pointer);
      body.abort(reason);
      this.#leave(body);
    }
    return abandoned;
  }

  #leave(body: Body): void {
    body.leave();
    this.#byPointer.delete(body.pointer);
  }
}

/** Bodies that an undoing waits for, and that are at work nowhere here: they have ended, or their host has. */
export function endedStragglers(state: WorkflowState, bodies: Bodies): Input[] {
  const inputs: Input[] = [];
  for (const straggler of state.stragglers.values()) {
    if (straggler.until === null || straggler.ended || bodies.has(straggler.pointer)) continue;
    inputs.push({ kind: "straggler-ended", pointer: straggler.pointer, returned: false });
  }
  return inputs;
}

/** Whether the state wants this attempt run, or (of one that is late) waits to hear that its time is up. */
function isWanted(state: WorkflowState, body: Body): boolean {
  if (body.mode === "straggler" || (body.mode === "late" && isFinal(state))) return false;
  const pointer = state.pointers.get(body.pointer);
  return pointer?.status === "ready" && !pointer.crashed && pointer.attempt === body.attempt.attempt;
}

function isAwaited(state: WorkflowState, body: Body): boolean {
  const straggler = state.stragglers.get(body.pointer);
  return straggler !== undefined && straggler.until !== null && !straggler.ended;
}
