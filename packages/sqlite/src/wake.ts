import type { Run } from "@wfe/core/providers";
import { jsonOf, type Session } from "./session.ts";

/** Raises the workflows' signals and makes them due now, those that are owned too: releasing them finds it out. */
export function wake(session: Session, runs: Iterable<Run>): void {
  const once = new Set(runs);
  if (once.size === 0) return;
  const json = jsonOf(once);
  session.run("UPDATE wfe_heads SET signals = signals + 1 FROM json_each(?) j WHERE wfe_heads.run = j.value", json);
  const now = session.now();
  session.run(
    `UPDATE wfe_workflows SET due_at = ? FROM json_each(?) j
     WHERE wfe_workflows.run = j.value AND (due_at IS NULL OR due_at > ?)`,
    now,
    json,
    now,
  );
  for (const run of once) {
    session.forgetHead(run);
    session.woken.add(run);
  }
}
