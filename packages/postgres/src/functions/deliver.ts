/**
 * Puts deliveries into inboxes and wakes their workflows, whose rows are locked. Takes a list of
 * `{place, to, id, kind, body, keep, exempt}`; `p_limit` null: no limit. Gives the runs that were woken.
 */
export const deliverLocked: string = `
CREATE FUNCTION $s.wfe_deliver_locked(p_now bigint, p_items json, p_limit bigint) RETURNS bigint[]
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_runs bigint[];
BEGIN
  WITH item AS (
    SELECT DISTINCT ON ("to", id) * FROM json_to_recordset(p_items)
      AS i (place integer, "to" bigint, id text, kind text, body text, keep integer, exempt integer)
    ORDER BY "to", id, place
  ), fresh AS (
    SELECT i.*, w.delivered, w.limited,
      count(*) FILTER (WHERE i.exempt = 0) OVER (PARTITION BY i."to" ORDER BY i.place) AS ordinary
    FROM item i JOIN $s.wfe_workflows w ON w.run = i."to"
    WHERE NOT EXISTS (SELECT FROM $s.wfe_deliveries d WHERE d.run = i."to" AND d.delivery_id = i.id)
  ), accepted AS (
    -- Once an inbox is full, it stays so for the rest of the list: counting the ordinary ones before tells.
    SELECT *, delivered + row_number() OVER (PARTITION BY "to" ORDER BY place) AS number
    FROM fresh WHERE exempt = 1 OR p_limit IS NULL OR limited + ordinary <= p_limit
  ), added AS (
    INSERT INTO $s.wfe_deliveries (run, number, delivery_id, kind, body, at, keep, exempt)
    SELECT "to", number, id, kind, body, p_now, keep, exempt FROM accepted ORDER BY "to", number
    RETURNING run, exempt
  ), counts AS (
    SELECT run, count(*) AS delivered, count(*) FILTER (WHERE exempt = 0) AS limited FROM added GROUP BY run
  ), woken AS (
    UPDATE $s.wfe_workflows w
    SET delivered = w.delivered + c.delivered, limited = w.limited + c.limited, signals = w.signals + 1,
      due_at = CASE WHEN w.due_at IS NULL OR w.due_at > p_now THEN p_now ELSE w.due_at END
    FROM counts c WHERE w.run = c.run RETURNING w.run
  )
  SELECT array_agg(run) INTO v_runs FROM woken;
  RETURN v_runs;
END
$body$`;

/** The same for callers: gives `{results, woken}`, a result being a number, null (no such workflow) or false (inbox full). */
export const deliver: string = `
CREATE FUNCTION $s.wfe_deliver(p_now bigint, p_lock_ms integer, p_items json, p_limit bigint, p_store text) RETURNS json
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_now bigint;
  v_woken bigint[];
  v_results json;
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms, p_store);
  PERFORM 1 FROM $s.wfe_workflows
  WHERE run IN (SELECT "to" FROM json_to_recordset(p_items) AS i ("to" bigint)) ORDER BY run FOR NO KEY UPDATE;
  -- Only now: what waited for the lock came later than what it waited for.
  v_now := $s.wfe_now(p_now);
  v_woken := $s.wfe_deliver_locked(v_now, p_items, p_limit);
  SELECT json_agg(CASE WHEN d.number IS NOT NULL THEN to_json(d.number) WHEN w.run IS NULL THEN NULL ELSE 'false'::json END
    ORDER BY i.place) INTO v_results
  FROM json_to_recordset(p_items) AS i (place integer, "to" bigint, id text)
  LEFT JOIN $s.wfe_workflows w ON w.run = i."to"
  LEFT JOIN $s.wfe_deliveries d ON d.run = i."to" AND d.delivery_id = i.id;
  RETURN json_build_object('results', v_results, 'woken', to_json(v_woken));
END
$body$`;
