import type { OutboxRow, Run, SearchOutbox } from "@wfe/core/providers";
import { arrayOf } from "./arrays.ts";
import type { Open } from "./postgres.ts";

const mostCounted = 100_000;

/** Whether this provider's writes add to the outbox: set by the first host that has an index. */
export interface KeptOutbox {
  on: boolean;
}

/** The table `wfe_outbox`. Its rows are added by the statements that `created`, `committed`, `written` and `removed` make. */
export function postgresOutbox(opened: () => Open, kept: KeptOutbox): SearchOutbox {
  return {
    keep: () => void (kept.on = true),

    read: async (limit) => {
      const rows = await opened().store.readJson<OutboxRow[]>(
        `SELECT json_agg(o ORDER BY place)::text AS json FROM (
          SELECT place, run, at FROM $s.wfe_outbox ORDER BY place LIMIT $1::bigint
        ) o`,
        [limit],
      );
      return rows ?? [];
    },

    remove: async (places) => {
      if (places.length === 0) return;
      const { store } = opened();
      await store.write(store.shared, "DELETE FROM $s.wfe_outbox WHERE place = ANY ($1::bigint[])", [arrayOf(places)]);
    },

    backlog: async () => {
      const backlog = await opened().store.readJson<{ readonly rows: number; readonly oldestAt: number | null }>(
        `SELECT json_build_object(
          'rows', (SELECT count(*) FROM (SELECT 1 FROM $s.wfe_outbox LIMIT ${mostCounted}) counted),
          'oldestAt', (SELECT at FROM $s.wfe_outbox ORDER BY place LIMIT 1)
        )::text AS json`,
      );
      return backlog ?? { rows: 0, oldestAt: null };
    },

    refill: async (after, limit) => {
      const { store } = opened();
      return store.writeJson<Run>(
        store.shared,
        `WITH next AS (SELECT run FROM $s.wfe_workflows WHERE run > $1::bigint ORDER BY run LIMIT $2::bigint),
        added AS (INSERT INTO $s.wfe_outbox (run, at) SELECT run, $s.wfe_now($3::bigint) FROM next ORDER BY run)
        SELECT max(run)::text AS json FROM next`,
        [after, limit, store.now],
      );
    },

    note: async () =>
      opened().store.readJson<string>("SELECT to_json(value)::text AS json FROM $s.wfe_meta WHERE name = 'search'"),

    replaceNote: async (expected, next) => {
      const { store } = opened();
      const replaced =
        expected === null
          ? await store.write(
              store.shared,
              "INSERT INTO $s.wfe_meta (name, value) VALUES ('search', $1) ON CONFLICT DO NOTHING RETURNING 1",
              [next],
            )
          : await store.write(
              store.shared,
              "UPDATE $s.wfe_meta SET value = $1 WHERE name = 'search' AND value = $2 RETURNING 1",
              [next, expected],
            );
      return replaced.length > 0;
    },
  };
}

/**
 * A call that answers in JSON as a statement that also adds to the outbox the runs that the answer names.
 *
 * After the call, so that a number is drawn while the row of its workflow is locked: of two changes of one workflow, the later one
 * has the higher number.
 */
function withOutbox(call: string, now: string, runs: string): string {
  return `WITH done AS MATERIALIZED (SELECT ${call} AS json),
    kept AS (INSERT INTO $s.wfe_outbox (run, at) SELECT run, $s.wfe_now(${now}) FROM (${runs}) touched ORDER BY run)
    SELECT json::text AS json FROM done`;
}

const fresh = (created: string): string =>
  `SELECT f.run::bigint AS run FROM done CROSS JOIN LATERAL json_array_elements_text(${created} -> 'fresh') AS f (run)`;

/** The same for a call that creates. `now`: where the time is bound. */
export function createdWithOutbox(call: string, now: string): string {
  return withOutbox(call, now, fresh("done.json"));
}

/** For a commit: the rows that were written, and children. */
export function committedWithOutbox(call: string, now: string): string {
  return withOutbox(
    call,
    now,
    `SELECT w.run::bigint AS run FROM done CROSS JOIN LATERAL json_array_elements_text(
      CASE WHEN json_typeof(done.json -> 'written') = 'array' THEN done.json -> 'written' END
    ) AS w (run)
    UNION ALL ${fresh("(CASE WHEN json_typeof(done.json -> 'created') = 'object' THEN done.json -> 'created' END)")}`,
  );
}

/** For rows that were written without a turn. */
export function writtenWithOutbox(call: string, now: string): string {
  return withOutbox(
    call,
    now,
    "SELECT (w.item ->> 0)::bigint AS run FROM done CROSS JOIN LATERAL json_array_elements(done.json) AS w (item)",
  );
}
