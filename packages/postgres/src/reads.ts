import type {
  LoadedWorkflow,
  PullRequest,
  PullResult,
  Run,
  StoredDelivery,
  StoredEvent,
  StoredTurn,
} from "@wfe/core/providers";
import { arrayOf } from "./arrays.ts";
import type { Open } from "./postgres.ts";
import { rowJoins, rowOf, selectRow, type StoredRow } from "./rows.ts";

interface Loaded {
  readonly run: Run;
  readonly row: StoredRow;
  readonly checkpoint: { readonly seq: number; readonly stateText: string } | null;
  readonly turns: readonly StoredTurn[] | null;
}

/** By one statement, and so as of one moment: no journal is behind its row. */
export async function loadWorkflows({ store }: Open, runs: readonly Run[]): Promise<(LoadedWorkflow | undefined)[]> {
  if (runs.length === 0) return [];
  const loaded = await store.readJson<Loaded[]>(
    `SELECT json_agg(j)::text AS json FROM (
      SELECT i.run, row_to_json(r) AS row,
        CASE WHEN c.run IS NULL THEN NULL ELSE json_build_object('seq', c.seq, 'stateText', c.state) END AS checkpoint,
        (SELECT json_agg(t ORDER BY t.seq) FROM (
          SELECT seq, turn, at, host, entries AS "entriesText" FROM $s.wfe_turns t
          WHERE t.run = i.run AND t.seq > coalesce(c.seq, -1)
        ) t) AS turns
      FROM unnest($1::bigint[]) AS i (run)
      CROSS JOIN LATERAL (SELECT ${selectRow} FROM $s.wfe_workflows w ${rowJoins} WHERE w.run = i.run) r
      LEFT JOIN $s.wfe_checkpoints c ON c.run = i.run
    ) j`,
    [arrayOf(runs)],
  );
  const byRun = new Map(loaded?.map((one) => [one.run, one]));
  return runs.map((run) => {
    const one = byRun.get(run);
    return one && { row: rowOf(one.row), checkpoint: one.checkpoint, turns: one.turns ?? [] };
  });
}

interface Pulled {
  readonly heads: (readonly [run: Run, signals: number])[] | null;
  readonly deliveries: (StoredDelivery & { readonly run: Run })[] | null;
  readonly streams: ReadStream[] | null;
}

interface ReadStream {
  readonly place: number;
  readonly expiredThrough: number;
  readonly expiredAt: number;
  readonly events: readonly StoredEvent[] | null;
}

/** By one statement, and so as of one moment: what is not in it raises `signals` beyond what is. */
export async function pull({ store }: Open, requests: readonly PullRequest[]): Promise<PullResult[]> {
  if (requests.length === 0) return [];
  const cursors = requests.flatMap(({ namespace, streams }) => streams.map((cursor) => ({ namespace, cursor })));
  const items = cursors.map(({ namespace, cursor }, place) => ({ place, namespace, ...cursor }));
  const pulled = await store.readJson<Pulled>(
    `SELECT json_build_object(
      'heads', (SELECT json_agg(json_build_array(run, signals)) FROM $s.wfe_workflows WHERE run = ANY ($1::bigint[])),
      'deliveries', (SELECT json_agg(d ORDER BY number) FROM (
        SELECT run, number, delivery_id AS "deliveryId", kind, body AS "bodyText", at FROM $s.wfe_deliveries
        WHERE run = ANY ($1::bigint[]) AND outcome IS NULL
      ) d),
      'streams', (SELECT json_agg(r) FROM (
        SELECT i.place, s.expired_through AS "expiredThrough", s.expired_at AS "expiredAt", (
          SELECT json_agg(e ORDER BY e.number) FROM (
            SELECT number, event_id AS "eventId", payload AS "payloadText", at FROM $s.wfe_events
            WHERE stream = s.stream AND number > i.after AND at >= i.since ORDER BY number LIMIT i.limit
          ) e
        ) AS events
        FROM json_to_recordset($2::json) AS i (place integer, namespace text, name text, key text, after bigint, since bigint,
          "limit" integer)
        JOIN $s.wfe_streams s ON s.namespace = i.namespace AND s.name = i.name AND s.key = i.key
      ) r)
    )::text AS json`,
    [arrayOf(requests.map(({ run }) => run)), JSON.stringify(items)],
  );
  const signals = new Map(pulled?.heads);
  const deliveries = unreadByRun(pulled?.deliveries ?? []);
  const streams = new Map(pulled?.streams?.map((stream) => [stream.place, stream]));
  let place = 0;
  return requests.map(({ run, streams: asked }) => ({
    signals: signals.get(run) ?? 0,
    deliveries: deliveries.get(run) ?? [],
    events: asked.map(({ name, key }) => {
      const stream = streams.get(place++);
      if (stream === undefined) return { events: [], expiredThrough: 0, expiredAt: 0 };
      const { events, expiredThrough, expiredAt } = stream;
      return { events: (events ?? []).map((event) => ({ ...event, name, key })), expiredThrough, expiredAt };
    }),
  }));
}

/** The unread deliveries of each workflow, in order. */
function unreadByRun(
  stored: readonly (StoredDelivery & { readonly run: Run })[],
): ReadonlyMap<Run, readonly StoredDelivery[]> {
  const unread = new Map<Run, StoredDelivery[]>();
  for (const { run, ...delivery } of stored) {
    const known = unread.get(run);
    if (known === undefined) unread.set(run, [delivery]);
    else known.push(delivery);
  }
  return unread;
}
