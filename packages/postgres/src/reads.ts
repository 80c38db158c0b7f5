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
import type { Row } from "./target.ts";

interface Loaded {
  readonly run: Run;
  readonly row: StoredRow;
  readonly checkpoint: { readonly seq: number; readonly stateText: string } | null;
  readonly turns: readonly StoredTurn[] | null;
}

/** By one statement, and so as of one moment: no journal is behind its row. */
export async function loadWorkflows({ store }: Open, runs: readonly Run[]): Promise<(LoadedWorkflow | undefined)[]> {
  if (runs.length === 0) return [];
  const loaded = await store.readJsonRows<Loaded>(
    `SELECT row_to_json(j)::text AS json FROM (
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
  const byRun = new Map(loaded.map((one) => [one.run, one]));
  return runs.map((run) => {
    const one = byRun.get(run);
    return one && { row: rowOf(one.row), checkpoint: one.checkpoint, turns: one.turns ?? [] };
  });
}

/** What a pull gives besides one delivery or event in each row. */
interface Heads {
  readonly signals: (readonly [run: Run, signals: number])[] | null;
  readonly streams: (readonly [place: number, expiredThrough: number, expiredAt: number])[] | null;
}

type PulledDelivery = StoredDelivery & { readonly run: Run };
type PulledEvent = Omit<StoredEvent, "name" | "key"> & { readonly place: number };

/** By one statement, and so as of one moment: what is not in it raises `signals` beyond what is. */
export async function pull({ store }: Open, requests: readonly PullRequest[]): Promise<PullResult[]> {
  if (requests.length === 0) return [];
  const cursors = requests.flatMap(({ namespace, streams }) => streams.map((cursor) => ({ namespace, cursor })));
  const items = cursors.map(({ namespace, cursor }, place) => ({ place, namespace, ...cursor }));
  const rows = await store.read(
    `WITH asked AS MATERIALIZED (
      SELECT i.place, i.after, i.since, i.limit, s.stream, s.expired_through, s.expired_at
      FROM json_to_recordset($2::json) AS i (place integer, namespace text, name text, key text, after bigint, since bigint,
        "limit" integer)
      JOIN $s.wfe_streams s ON s.namespace = i.namespace AND s.name = i.name AND s.key = i.key
    )
    SELECT 'heads' AS kind, json_build_object(
      'signals', (SELECT json_agg(json_build_array(run, signals)) FROM $s.wfe_workflows WHERE run = ANY ($1::bigint[])),
      'streams', (SELECT json_agg(json_build_array(place, expired_through, expired_at)) FROM asked)
    )::text AS json
    UNION ALL
    SELECT 'delivery', row_to_json(d)::text FROM (
      SELECT run, number, delivery_id AS "deliveryId", kind, body AS "bodyText", at FROM $s.wfe_deliveries
      WHERE run = ANY ($1::bigint[]) AND outcome IS NULL
    ) d
    UNION ALL
    SELECT 'event', row_to_json(e)::text FROM (
      SELECT asked.place, e.* FROM asked CROSS JOIN LATERAL (
        SELECT number, event_id AS "eventId", payload AS "payloadText", at FROM $s.wfe_events
        WHERE stream = asked.stream AND number > asked.after AND at >= asked.since ORDER BY number LIMIT asked.limit
      ) e
    ) e`,
    [arrayOf(requests.map(({ run }) => run)), JSON.stringify(items)],
  );
  const [heads] = ofKind<Heads>(rows, "heads");
  const signals = new Map(heads?.signals);
  const deliveries = Map.groupBy(ofKind<PulledDelivery>(rows, "delivery"), ({ run }) => run);
  const events = Map.groupBy(ofKind<PulledEvent>(rows, "event"), ({ place }) => place);
  const streams = new Map(heads?.streams?.map((stream) => [stream[0], stream]));
  let next = 0;
  return requests.map(({ run, streams: asked }) => ({
    signals: signals.get(run) ?? 0,
    deliveries: (deliveries.get(run) ?? []).toSorted(byNumber).map(({ run: _run, ...delivery }) => delivery),
    events: asked.map(({ name, key }) => {
      const place = next++;
      const [, expiredThrough, expiredAt] = streams.get(place) ?? [place, 0, 0];
      const read = (events.get(place) ?? []).toSorted(byNumber);
      return {
        events: read.map(({ place: _place, ...event }) => ({ ...event, name, key })),
        expiredThrough,
        expiredAt,
      };
    }),
  }));
}

function ofKind<Value>(rows: readonly Row[], wanted: string): Value[] {
  return rows.flatMap(({ kind, json }) => (kind === wanted ? [JSON.parse(String(json)) as Value] : []));
}

function byNumber(one: { readonly number: number }, other: { readonly number: number }): number {
  return one.number - other.number;
}
