import type { Draft } from "../draft.ts";

/** The host died. A take-over counts only where nothing was committed since the one before. */
export function takeOver(draft: Draft, seq: number): void {
  const before = draft.takeover;
  draft.takeover =
    before.seq === seq - 1
      ? {
          seq,
          count: before.count + (before.alone || before.count < 2 ? 1 : 0),
          alone: false,
          loneDeaths: before.loneDeaths + (before.alone ? 1 : 0),
        }
      : { seq, count: 1, alone: false, loneDeaths: 0 };
  if (draft.phase !== "active" && draft.phase !== "suspended") return;
  // Where it is suspended, only what had begun before may have been running.
  const possibly = [...draft.pointers.values()].filter(({ begun }) => begun || draft.phase === "active");
  possiblyAttempted(
    draft,
    possibly.map(({ id }) => id),
  );
}

/** Bodies of these pointers may have run: the next attempt has a higher number. Where `onCrash` has a say, it judges this one. */
export function possiblyAttempted(draft: Draft, pointers: readonly number[]): void {
  for (const id of pointers) {
    const pointer = draft.pointers.get(id);
    if (pointer?.status !== "ready" || pointer.kind !== "step") continue;
    const { attempt, begun } = pointer;
    draft.setPointer({ ...pointer, attempt: begun ? attempt : attempt + 1, crashed: begun, begun: false });
  }
}
