import type { Run } from "@wfe/core/providers";
import { listOf } from "./rows.ts";
import { jsonOf, type Session } from "./session.ts";

/** Rows of one workflow deleted in one transaction. */
const rowsPerBatch = 2_000;

/**
 * Takes workflows away that ended before, with all that is small; gives how many. What may be long is left in the trash for
 * `emptyTrash`, so that their ids are free at once and no transaction is long.
 */
export function removeWorkflows(session: Session, before: number, limit: number): number {
  const removed = session.all<{
    readonly run: Run;
    readonly namespace: string;
    readonly tags: string | null;
    readonly created_at: number;
  }>(
    // For one that is due, or in somebody's hand, a call has come that is acknowledged: it may be revived by it. And a retry of a
    // parent goes on in its children that have not completed.
    `SELECT run, namespace, tags, created_at FROM wfe_workflows w
     WHERE ended = 1 AND completed_at < ? AND owner IS NULL AND due_at IS NULL
       AND (status = 'completed' OR parent_run IS NULL OR NOT EXISTS (SELECT 1 FROM wfe_workflows p WHERE p.run = w.parent_run))
     ORDER BY completed_at LIMIT ?`,
    before,
    limit,
  );
  for (const { run, namespace, tags, created_at } of removed) {
    for (const tag of listOf<string>(tags)) {
      const untag = "DELETE FROM wfe_tags WHERE namespace = ? AND tag = ? AND created_at = ? AND run = ?";
      session.run(untag, namespace, tag, created_at, run);
    }
  }
  const runs = jsonOf(removed.map(({ run }) => run));
  const ofRuns = "WHERE run IN (SELECT value FROM json_each(?))";
  session.run(`INSERT INTO wfe_trash (run, last) SELECT run, last FROM wfe_heads ${ofRuns}`, runs);
  for (const table of [
    "wfe_workflows",
    "wfe_heads",
    "wfe_starts",
    "wfe_ends",
    "wfe_checkpoints",
    "wfe_subscriptions",
    "wfe_logs",
  ]) {
    session.run(`DELETE FROM ${table} ${ofRuns}`, runs);
  }
  for (const { run } of removed) {
    session.forgetHead(run);
    session.touched.add(run);
  }
  return removed.length;
}

/** Deletes some of what is in the trash; true while there is more. */
export function emptyTrash(session: Session): boolean {
  let left = rowsPerBatch;
  while (left > 0) {
    const trash = session.get<{ readonly run: Run; readonly last: number | null }>(
      "SELECT run, last FROM wfe_trash LIMIT 1",
    );
    if (trash === undefined) return false;
    left -= 1 + deleteDeliveries(session, trash.run, left);
    const { last, deleted } = deleteTurns(session, trash.last, left);
    left -= deleted;
    if (left > 0) session.run("DELETE FROM wfe_trash WHERE run = ?", trash.run);
    else session.run("UPDATE wfe_trash SET last = ? WHERE run = ?", last, trash.run);
  }
  return true;
}

function deleteDeliveries(session: Session, run: Run, limit: number): number {
  return session.run(
    "DELETE FROM wfe_deliveries WHERE delivery IN (SELECT delivery FROM wfe_deliveries WHERE run = ? LIMIT ?)",
    run,
    limit,
  );
}

/** Backwards from the last one; gives the last of those that are left. */
function deleteTurns(session: Session, from: number | null, limit: number): { last: number | null; deleted: number } {
  let last = from;
  let deleted = 0;
  for (; last !== null && deleted < limit; deleted += 1) {
    const place = last;
    last = session.value<number | null>("SELECT previous FROM wfe_turns WHERE place = ?", place) ?? null;
    session.run("DELETE FROM wfe_turns WHERE place = ?", place);
  }
  return { last, deleted };
}

/** Deletes events numbered before; gives how many. Those of a stream whose waiters are still being woken stay. */
export function purgeEvents(session: Session, before: number, limit: number): number {
  const expired = session.all<{
    readonly event: number;
    readonly stream: number;
    readonly number: number;
    readonly at: number;
  }>(
    `SELECT e.event, e.stream, e.number, e.at FROM wfe_events e JOIN wfe_streams s ON s.stream = e.stream
     WHERE e.number IS NOT NULL AND e.at < ? AND s.pending = 0 ORDER BY e.at, e.number LIMIT ?`,
    before,
    limit,
  );
  for (const { event, stream, number, at } of expired) {
    session.run("DELETE FROM wfe_events WHERE event = ?", event);
    // In the order of numbers, since in one stream that is the order of times.
    session.run("UPDATE wfe_streams SET expired_through = ?, expired_at = ? WHERE stream = ?", number, at, stream);
  }
  return expired.length;
}
