/** Makes the streams that are missing, and locks all of them: in the order of their keys, so that no two wait for each other. */
export const lockStreams: string = `
CREATE FUNCTION $s.wfe_lock_streams(p_items json) RETURNS void LANGUAGE plpgsql $plans AS $body$
BEGIN
  INSERT INTO $s.wfe_streams (namespace, name, key)
  SELECT DISTINCT namespace COLLATE "C" AS namespace, name COLLATE "C" AS name, key COLLATE "C" AS key
  FROM json_to_recordset(p_items) AS i (namespace text, name text, key text)
  WHERE NOT EXISTS (SELECT FROM $s.wfe_streams s WHERE s.namespace = i.namespace AND s.name = i.name AND s.key = i.key)
  ORDER BY 1, 2, 3
  ON CONFLICT DO NOTHING;
  PERFORM 1 FROM $s.wfe_streams s
  JOIN (SELECT DISTINCT namespace, name, key FROM json_to_recordset(p_items) AS j (namespace text, name text, key text)) i
    ON s.namespace = i.namespace AND s.name = i.name AND s.key = i.key
  ORDER BY s.namespace, s.name, s.key FOR NO KEY UPDATE OF s;
END
$body$`;

/**
 * Gives up to so many waiters of streams that are locked and whose last events they have not been woken for, and notes in the
 * streams how far it got: those with a run above `fan_at`, up to `fan_end`; then from the beginning up to `fan_wrap`.
 */
export const fanOut: string = `
CREATE FUNCTION $s.wfe_fan_out(p_streams bigint[], p_limit integer) RETURNS bigint[] LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_stream record;
  v_runs bigint[] := '{}';
  v_some bigint[];
  v_left integer := p_limit;
  v_pending integer;
BEGIN
  FOR v_stream IN SELECT stream, pending, fan_at, fan_end, fan_wrap FROM $s.wfe_streams
    WHERE stream = ANY (p_streams) ORDER BY stream
  LOOP
    v_pending := 1;
    WHILE v_pending = 1 LOOP
      SELECT array_agg(run ORDER BY run) INTO v_some FROM (
        SELECT DISTINCT run FROM $s.wfe_subscriptions
        WHERE stream = v_stream.stream AND run > v_stream.fan_at AND run <= coalesce(v_stream.fan_end, 9223372036854775807)
        ORDER BY run LIMIT v_left + 1
      ) waiters;
      IF coalesce(array_length(v_some, 1), 0) > v_left THEN
        v_some := v_some[1:v_left];
        v_stream.fan_at := coalesce(v_some[v_left], v_stream.fan_at);
        v_runs := v_runs || v_some;
        v_left := 0;
        EXIT;
      END IF;
      v_runs := v_runs || coalesce(v_some, '{}');
      v_left := v_left - coalesce(array_length(v_some, 1), 0);
      IF v_stream.fan_wrap IS NULL THEN
        v_pending := 0;
      ELSE
        v_stream.fan_at := 0;
        v_stream.fan_end := v_stream.fan_wrap;
        v_stream.fan_wrap := NULL;
      END IF;
    END LOOP;
    IF v_pending <> v_stream.pending OR v_pending = 1 THEN
      UPDATE $s.wfe_streams SET pending = v_pending, fan_at = v_stream.fan_at, fan_end = v_stream.fan_end,
        fan_wrap = v_stream.fan_wrap WHERE stream = v_stream.stream;
    END IF;
  END LOOP;
  RETURN v_runs;
END
$body$`;

/** What becomes of a stream, as `s`, when it gets a number: all of its subscriptions are to be woken, from where the last round is. */
const restartFanOut = `
  fan_at = CASE WHEN s.pending = 1 THEN s.fan_at ELSE 0 END,
  fan_end = NULL,
  fan_wrap = CASE WHEN s.pending = 1 AND s.fan_at > 0 THEN s.fan_at ELSE NULL END`;

/**
 * Stores events, numbers those that are effective, and wakes their waiters. Takes a list of
 * `{place, namespace, name, key, id, payload, effectiveAt}`; gives `{published: [number or null, duplicate][], woken, changed}`.
 */
export const publish: string = `
CREATE FUNCTION $s.wfe_publish(p_now bigint, p_lock_ms integer, p_items json, p_limit integer, p_store text) RETURNS json
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_now bigint;
  v_fresh integer[];
  v_touched bigint[];
  v_later boolean;
  v_runs bigint[];
  v_published json;
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms, p_store);
  PERFORM $s.wfe_lock_streams(p_items);
  v_now := $s.wfe_now(p_now);
  -- Where two publish one id into two streams at the same time, one fails by the index and is repeated.
  WITH item AS (
    SELECT DISTINCT ON (namespace, id) * FROM json_to_recordset(p_items)
      AS i (place integer, namespace text, name text, key text, id text, payload text, "effectiveAt" bigint)
    ORDER BY namespace, id, place
  ), fresh AS (
    SELECT i.*, s.stream, s.last, s.last_at, coalesce(i."effectiveAt" <= v_now, true) AS effective
    FROM item i JOIN $s.wfe_streams s ON s.namespace = i.namespace AND s.name = i.name AND s.key = i.key
    WHERE NOT EXISTS (SELECT FROM $s.wfe_events e WHERE e.namespace = i.namespace AND e.event_id = i.id)
  ), numbered AS (
    -- A clock that is set back must not turn the order round: retention deletes by time, from the front.
    SELECT *, CASE WHEN effective THEN last + count(*) FILTER (WHERE effective) OVER (PARTITION BY stream ORDER BY place) END
      AS number, CASE WHEN effective THEN greatest(last_at, v_now) END AS at
    FROM fresh
  ), ordered AS MATERIALIZED (
    -- Rows in the order of the list, which decides between events that become effective at one instant.
    SELECT *, nextval('$s.wfe_events_event_seq') AS event FROM (SELECT * FROM numbered ORDER BY place) n
  ), added AS (
    INSERT INTO $s.wfe_events (event, stream, number, at, effective_at, namespace, event_id, payload)
    SELECT event, stream, number, at, "effectiveAt", namespace, id, payload FROM ordered
    ORDER BY namespace COLLATE "C", id COLLATE "C"
  ), moved AS (
    UPDATE $s.wfe_streams s SET last = n.last, last_at = n.last_at, ${restartFanOut}
    FROM (SELECT stream, max(number) AS last, max(at) AS last_at FROM numbered WHERE effective GROUP BY stream) n
    WHERE s.stream = n.stream RETURNING s.stream
  )
  SELECT (SELECT array_agg(place) FROM numbered), (SELECT array_agg(stream) FROM moved),
    (SELECT bool_or(NOT effective) FROM numbered)
  INTO v_fresh, v_touched, v_later;

  v_runs := $s.wfe_fan_out(v_touched, p_limit);
  PERFORM $s.wfe_wake(v_now, v_runs);
  SELECT json_agg(json_build_array(e.number, NOT i.place = ANY (coalesce(v_fresh, '{}'))) ORDER BY i.place) INTO v_published
  FROM json_to_recordset(p_items) AS i (place integer, namespace text, id text)
  JOIN $s.wfe_events e ON e.namespace = i.namespace AND e.event_id = i.id;
  RETURN json_build_object('published', v_published, 'woken', to_json(v_runs), 'changed', coalesce(v_later, false)
    OR EXISTS (SELECT FROM $s.wfe_streams WHERE stream = ANY (v_touched) AND pending = 1));
END
$body$`;

/** Publishes what committed transactions of callers have left, oldest first; gives what `wfe_publish` gives, or null. */
export const takeStaged: string = `
CREATE FUNCTION $s.wfe_take_staged(p_now bigint, p_lock_ms integer, p_limit integer, p_store text) RETURNS json
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_items json;
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms, p_store);
  -- Waits for another host that does the same: side by side they could turn the order round.
  WITH chosen AS MATERIALIZED (
    SELECT staged FROM $s.wfe_staged_events ORDER BY staged LIMIT p_limit FOR UPDATE
  ), taken AS (
    DELETE FROM $s.wfe_staged_events WHERE staged IN (SELECT staged FROM chosen) RETURNING *
  )
  SELECT json_agg(json_build_object('place', place, 'namespace', namespace, 'name', name, 'key', key, 'id', event_id,
    'payload', payload, 'effectiveAt', effective_at) ORDER BY place) INTO v_items
  FROM (SELECT *, row_number() OVER (ORDER BY staged) AS place FROM taken) numbered;
  IF v_items IS NULL THEN RETURN NULL; END IF;
  RETURN $s.wfe_publish(p_now, p_lock_ms, v_items, p_limit, p_store);
END
$body$`;

/** Numbers what has become effective, and wakes who is left to wake; gives `{woken, changed}`. */
export const advanceEvents: string = `
CREATE FUNCTION $s.wfe_advance_events(p_now bigint, p_lock_ms integer, p_limit integer, p_store text) RETURNS json
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_now bigint;
  v_events bigint[];
  v_streams bigint[];
  v_runs bigint[];
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms, p_store);
  v_now := $s.wfe_now(p_now);
  v_events := ARRAY(SELECT event FROM $s.wfe_events WHERE number IS NULL AND effective_at <= v_now
    ORDER BY effective_at, event LIMIT p_limit);
  v_streams := ARRAY(SELECT stream FROM $s.wfe_streams WHERE pending = 1 ORDER BY stream LIMIT p_limit)
    || ARRAY(SELECT DISTINCT stream FROM $s.wfe_events WHERE event = ANY (v_events));
  PERFORM 1 FROM $s.wfe_streams WHERE stream = ANY (v_streams) ORDER BY namespace, name, key FOR NO KEY UPDATE;
  v_now := $s.wfe_now(p_now);

  WITH due AS (
    SELECT e.event, e.stream, greatest(s.last_at, e.effective_at) AS at,
      s.last + row_number() OVER (PARTITION BY e.stream ORDER BY e.effective_at, e.event) AS number
    FROM $s.wfe_events e JOIN $s.wfe_streams s ON s.stream = e.stream
    WHERE e.event = ANY (v_events) AND e.number IS NULL
  ), numbered AS (
    UPDATE $s.wfe_events e SET number = d.number, at = d.at FROM due d WHERE e.event = d.event
  )
  UPDATE $s.wfe_streams s SET last = n.last, last_at = n.last_at, ${restartFanOut}
  FROM (SELECT stream, max(number) AS last, max(at) AS last_at FROM due GROUP BY stream) n WHERE s.stream = n.stream;

  v_streams := ARRAY(SELECT DISTINCT s.stream FROM $s.wfe_streams s WHERE s.stream = ANY (v_streams)
    AND (s.pending = 1 OR EXISTS (SELECT FROM $s.wfe_events e WHERE e.event = ANY (v_events) AND e.stream = s.stream)));
  v_runs := $s.wfe_fan_out(v_streams, p_limit);
  PERFORM $s.wfe_wake(v_now, v_runs);
  RETURN json_build_object('woken', to_json(v_runs), 'changed', true);
END
$body$`;

/** Deletes events numbered before; those of a stream whose waiters are still being woken stay. Gives how many. */
export const purgeEvents: string = `
CREATE FUNCTION $s.wfe_purge_events(p_before bigint, p_limit integer) RETURNS bigint LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_events bigint[];
  v_removed bigint;
BEGIN
  PERFORM $s.wfe_begin(NULL);
  v_events := ARRAY(
    SELECT e.event FROM $s.wfe_events e JOIN $s.wfe_streams s ON s.stream = e.stream
    WHERE e.number IS NOT NULL AND e.at < p_before AND s.pending = 0 ORDER BY e.at, e.number LIMIT p_limit
  );
  PERFORM 1 FROM $s.wfe_streams WHERE stream IN (SELECT stream FROM $s.wfe_events WHERE event = ANY (v_events))
  ORDER BY namespace, name, key FOR NO KEY UPDATE;
  WITH gone AS (
    DELETE FROM $s.wfe_events e USING $s.wfe_streams s
    WHERE e.event = ANY (v_events) AND s.stream = e.stream AND s.pending = 0 RETURNING e.stream, e.number, e.at
  ), marked AS (
    UPDATE $s.wfe_streams s SET expired_through = g.number, expired_at = g.at
    FROM (SELECT DISTINCT ON (stream) stream, number, at FROM gone ORDER BY stream, number DESC) g
    WHERE s.stream = g.stream AND g.number > s.expired_through
  )
  SELECT count(*) INTO v_removed FROM gone;
  RETURN v_removed;
END
$body$`;
