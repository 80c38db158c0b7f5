import type { Run } from "@wfe/core/providers";
import type { Open } from "./postgres.ts";

/** Rows of one workflow deleted in one transaction. */
const rowsPerBatch = 2_000;

/**
 * Takes workflows away that ended before, with all that is small; gives how many. What may be long is left in the trash for
 * `emptyTrash`, so that their ids are free at once and no transaction is long.
 */
export async function removeWorkflows({ store, kept }: Open, before: number, limit: number): Promise<number> {
  const ofRuns = "WHERE run IN (SELECT run FROM gone)";
  const removed = await store.writeJson<number>(
    store.shared,
    // Chosen once: inside the DELETE, a plan that asks for each row would choose anew each time, and beyond the limit.
    // For one that is due, or in somebody's hand, a call has come that is acknowledged: it may be revived by it. And a retry of a
    // parent goes on in its children that have not completed.
    `WITH chosen AS MATERIALIZED (
      SELECT run FROM $s.wfe_workflows w WHERE ended = 1 AND completed_at < $1::bigint AND owner IS NULL AND due_at IS NULL
        AND (status = 'completed' OR parent_run IS NULL OR NOT EXISTS (SELECT FROM $s.wfe_workflows p WHERE p.run = w.parent_run))
      ORDER BY completed_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED
    ), gone AS (
      DELETE FROM $s.wfe_workflows WHERE run IN (SELECT run FROM chosen) RETURNING run, namespace, tags, created_at
    ), tags AS (
      DELETE FROM $s.wfe_tags t USING gone g CROSS JOIN LATERAL json_array_elements_text(g.tags::json) AS n (tag)
      WHERE t.namespace = g.namespace AND t.tag = n.tag AND t.created_at = g.created_at AND t.run = g.run
    ), starts AS (DELETE FROM $s.wfe_starts ${ofRuns}), ends AS (DELETE FROM $s.wfe_ends ${ofRuns}),
    checkpoints AS (DELETE FROM $s.wfe_checkpoints ${ofRuns}), subscriptions AS (DELETE FROM $s.wfe_subscriptions ${ofRuns}),
    ${kept.on ? "outbox AS (INSERT INTO $s.wfe_outbox (run, at) SELECT run, $s.wfe_now($3::bigint) FROM gone)," : ""}
    trash AS (INSERT INTO $s.wfe_trash (run) SELECT run FROM gone)
    SELECT count(*)::text AS json FROM gone`,
    kept.on ? [before, limit, store.now] : [before, limit],
  );
  return removed ?? 0;
}

/** Deletes some of what is in the trash; true while there is more. */
export async function emptyTrash({ store }: Open): Promise<boolean> {
  const [trash] = await store.read("SELECT run::text AS run FROM $s.wfe_trash ORDER BY run LIMIT 1");
  if (trash === undefined) return false;
  const run: Run = Number(trash["run"]);
  const deleted = await store.writeJson<number>(
    store.shared,
    `WITH turns AS (
      DELETE FROM $s.wfe_turns WHERE run = $1::bigint AND seq IN (
        SELECT seq FROM $s.wfe_turns WHERE run = $1::bigint ORDER BY seq LIMIT $2::bigint
      ) RETURNING 1
    ), deliveries AS (
      DELETE FROM $s.wfe_deliveries WHERE delivery IN (
        SELECT delivery FROM $s.wfe_deliveries WHERE run = $1::bigint LIMIT $2::bigint
      ) RETURNING 1
    ), logs AS (
      DELETE FROM $s.wfe_logs WHERE run = $1::bigint AND line IN (
        SELECT line FROM $s.wfe_logs WHERE run = $1::bigint ORDER BY line LIMIT $2::bigint
      ) RETURNING 1
    )
    SELECT ((SELECT count(*) FROM turns) + (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM logs))::text AS json`,
    [run, rowsPerBatch],
  );
  if ((deleted ?? 0) > 0) return true;
  // Only now: who wrote lines while the workflow was being deleted may have made this row behind the back of that statement.
  await store.write(
    store.shared,
    `WITH ends AS (DELETE FROM $s.wfe_log_ends WHERE run = $1::bigint)
    DELETE FROM $s.wfe_trash WHERE run = $1::bigint`,
    [run],
  );
  return true;
}

/** Deletes events numbered before; gives how many. Those of a stream whose waiters are still being woken stay. */
export async function purgeEvents({ store }: Open, before: number, limit: number): Promise<number> {
  const removed = await store.writeJson<number>(
    store.shared,
    "SELECT $s.wfe_purge_events($1::bigint, $2::integer)::text AS json",
    [before, limit],
  );
  return removed ?? 0;
}
