import { checkStore } from "./transaction.ts";

/**
 * Writes rows, each where the claim is still the writer's; they are locked. `p_behind`: runs with a subscription that its stream
 * has gone beyond. Were such a workflow let go asleep, only its host would know, and might die before it acts.
 */
export const writeRows: string = `
CREATE FUNCTION $s.wfe_write_locked_rows(p_now bigint, p_format integer, p_behind bigint[], p_run bigint[], p_claim bigint[],
  p_status text[], p_due bigint[], p_release boolean[], p_noted bigint[], p_version bigint[], p_hash text[],
  p_completed bigint[], p_waiting text[], p_result text[], p_error text[], OUT o_written bigint[], OUT o_due bigint[])
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_all boolean;
BEGIN
  WITH item AS (
    SELECT * FROM unnest(p_run, p_claim, p_status, p_due, p_release, p_noted, p_version, p_hash, p_completed, p_waiting,
      p_result, p_error) AS i (run, claim, status, due, release, noted, version, hash, completed, waiting, result, error)
  ), written AS (
    -- The due time comes from the row's own signals: a subquery would see them as they were when the statement began.
    UPDATE $s.wfe_workflows w SET
      status = i.status,
      ended = CASE WHEN i.status IN ('completed', 'failed', 'terminated') THEN 1 ELSE 0 END,
      due_at = CASE WHEN i.release AND (w.signals > i.noted OR w.run = ANY (p_behind)) THEN p_now ELSE i.due END,
      owner = CASE WHEN i.release THEN NULL ELSE w.owner END,
      updated_at = p_now,
      completed_at = i.completed,
      waiting_for = i.waiting,
      definition = CASE WHEN d.version = i.version AND d.hash = i.hash AND d.format = p_format THEN w.definition
        ELSE $s.wfe_definition(d.id, i.version, i.hash, p_format) END
    FROM item i, $s.wfe_definitions d
    WHERE w.run = i.run AND w.claim = i.claim AND d.definition = w.definition
    RETURNING w.run, w.due_at
  )
  SELECT coalesce(array_agg(run), '{}'), array_agg(due_at) INTO o_written, o_due FROM written;

  v_all := cardinality(o_written) = cardinality(p_run);
  -- Mostly all of them end, and for the first time: then it is a plain insert.
  IF v_all AND NOT EXISTS (SELECT FROM unnest(p_result, p_error) AS i (result, error) WHERE result IS NULL AND error IS NULL) THEN
    BEGIN
      INSERT INTO $s.wfe_ends (run, result, error) SELECT * FROM unnest(p_run, p_result, p_error);
      RETURN;
    EXCEPTION WHEN unique_violation THEN
    END;
  END IF;
  INSERT INTO $s.wfe_ends (run, result, error)
  SELECT run, result, error FROM unnest(p_run, p_result, p_error) AS i (run, result, error)
  WHERE (result IS NOT NULL OR error IS NOT NULL) AND (v_all OR run = ANY (o_written))
  ON CONFLICT (run) DO UPDATE SET result = excluded.result, error = excluded.error;
  DELETE FROM $s.wfe_ends WHERE run IN (
    SELECT run FROM unnest(p_run, p_result, p_error) AS i (run, result, error)
    WHERE result IS NULL AND error IS NULL AND (v_all OR run = ANY (o_written))
  );
END
$body$`;

/** The same for callers: gives `[run, claim, due time, whether it is due]` of those that were written. */
export const writeRowsAlone: string = `
CREATE FUNCTION $s.wfe_write_rows(p_now bigint, p_lock_ms integer, p_format integer, p_run bigint[], p_claim bigint[],
  p_status text[], p_due bigint[], p_release boolean[], p_noted bigint[], p_version bigint[], p_hash text[],
  p_completed bigint[], p_waiting text[], p_result text[], p_error text[], p_store text) RETURNS json
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_now bigint;
  v_written bigint[];
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms, p_store);
  PERFORM 1 FROM $s.wfe_workflows WHERE run = ANY (p_run) ORDER BY run FOR NO KEY UPDATE;
  v_now := $s.wfe_now(p_now);
  SELECT o_written INTO v_written FROM $s.wfe_write_locked_rows(v_now, p_format, '{}', p_run, p_claim, p_status, p_due,
    p_release, p_noted, p_version, p_hash, p_completed, p_waiting, p_result, p_error);
  RETURN (SELECT json_agg(json_build_array(run, claim, due_at, due_at <= v_now)) FROM $s.wfe_workflows WHERE run = ANY (v_written));
END
$body$`;

/**
 * Appends turns of different workflows with what goes with them, each judged alone. `p_rest` holds what few turns have:
 * `{checkpoints, reads, unsubscribe, subscribe, create, deliver}`, or null. Gives `{now, signals, refused, written, due, behind,
 * woken, created}`: the signals of each; the places (from 1) of those that were refused, with the ids of the turns that are there
 * or null; the runs whose rows were written, with their due times; the runs that are behind a stream.
 *
 * Locks in this order, as all that writes does: streams by key, instance rows by run, journal rows, ids of new workflows.
 */
export const commit: string = `
CREATE FUNCTION $s.wfe_commit(p_now bigint, p_lock_ms integer, p_format integer, p_mark text,
  t_run bigint[], t_seq bigint[], t_turn text[], t_host text[], t_entries text[],
  w_run bigint[], w_claim bigint[], w_status text[], w_due bigint[], w_release boolean[], w_noted bigint[],
  w_version bigint[], w_hash text[], w_completed bigint[], w_waiting text[], w_result text[], w_error text[],
  p_rest json, p_store text) RETURNS json LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_now bigint;
  v_rows boolean := array_length(w_run, 1) > 0;
  v_locked bigint[];
  v_applied bigint[];
  v_behind bigint[] := '{}';
  v_written bigint[];
  v_due bigint[];
  v_woken bigint[];
  v_places integer[];
  v_created json;
  v_signals bigint[];
  v_sound bigint;
  v_refused json;
  v_all boolean;
BEGIN
  IF p_mark IS NULL THEN
    PERFORM $s.wfe_begin(p_lock_ms, p_store);
  ELSIF current_setting('wfe.mark', true) IS DISTINCT FROM p_mark THEN
    -- The body of the step has ended the transaction that its result was to be part of.
    RAISE EXCEPTION 'the transaction was ended' USING ERRCODE = 'WFE02';
  ELSE${checkStore}
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
    -- From here on it locks the workflow, and all that is to come is the COMMIT: who is silent now is frozen, or gone.
    PERFORM set_config('idle_in_transaction_session_timeout', '5000', true);
  END IF;

  IF p_rest IS NOT NULL AND p_rest -> 'subscribe' IS NOT NULL THEN
    PERFORM $s.wfe_lock_streams(p_rest -> 'subscribe');
  END IF;

  IF v_rows OR p_rest IS NOT NULL THEN
    v_locked := w_run;
    IF p_rest IS NOT NULL THEN
      v_locked := v_locked
        || ARRAY(SELECT run FROM json_to_recordset(p_rest -> 'reads') AS i (run bigint))
        || ARRAY(SELECT "to" FROM json_to_recordset(p_rest -> 'deliver') AS i ("to" bigint));
    END IF;
    PERFORM 1 FROM $s.wfe_workflows WHERE run = ANY (v_locked) ORDER BY run FOR NO KEY UPDATE;
  END IF;

  v_now := $s.wfe_now(p_now);
  -- Mostly every turn can be appended: then it is a plain insert of all of them. A join finds the turns before, each by its key:
  -- a subquery under an OR would be made a hash of the whole journal.
  SELECT array_agg(w.signals ORDER BY t.place), count(*) FILTER (WHERE t.seq = 0 OR b.run IS NOT NULL) INTO v_signals, v_sound
  FROM unnest(t_run, t_seq) WITH ORDINALITY AS t (run, seq, place) JOIN $s.wfe_workflows w ON w.run = t.run
  LEFT JOIN $s.wfe_turns b ON b.run = t.run AND b.seq = t.seq - 1;
  v_all := v_sound = cardinality(t_run);
  IF v_all THEN
    BEGIN
      INSERT INTO $s.wfe_turns (run, seq, turn, at, host, entries)
      SELECT run, seq, turn, v_now, host, entries FROM unnest(t_run, t_seq, t_turn, t_host, t_entries)
        AS t (run, seq, turn, host, entries) ORDER BY run;
      v_applied := t_run;
    EXCEPTION WHEN unique_violation THEN
      v_all := false;
    END;
  END IF;
  IF NOT v_all THEN
    WITH added AS (
      INSERT INTO $s.wfe_turns (run, seq, turn, at, host, entries)
      SELECT t.run, t.seq, t.turn, v_now, t.host, t.entries
      FROM unnest(t_run, t_seq, t_turn, t_host, t_entries) AS t (run, seq, turn, host, entries)
      JOIN $s.wfe_workflows w ON w.run = t.run LEFT JOIN $s.wfe_turns b ON b.run = t.run AND b.seq = t.seq - 1
      WHERE t.seq = 0 OR b.run IS NOT NULL ORDER BY t.run
      ON CONFLICT (run, seq) DO NOTHING RETURNING run
    )
    SELECT coalesce(array_agg(run), '{}') INTO v_applied FROM added;
    v_all := cardinality(v_applied) = cardinality(t_run);
  END IF;
  IF NOT v_all THEN
    SELECT json_agg(json_build_array(t.place, (
      SELECT s.turn FROM $s.wfe_turns s JOIN $s.wfe_workflows w ON w.run = s.run WHERE s.run = t.run AND s.seq = t.seq
    ), EXISTS (SELECT FROM $s.wfe_workflows w WHERE w.run = t.run))) INTO v_refused
    FROM unnest(t_run, t_seq) WITH ORDINALITY AS t (run, seq, place) WHERE NOT t.run = ANY (v_applied);
  END IF;

  IF p_rest IS NOT NULL THEN
    INSERT INTO $s.wfe_checkpoints (run, seq, state)
    SELECT run, seq, state FROM json_to_recordset(p_rest -> 'checkpoints') AS i (run bigint, seq bigint, state text)
    WHERE v_all OR run = ANY (v_applied)
    ON CONFLICT (run) DO UPDATE SET seq = excluded.seq, state = excluded.state
    WHERE excluded.seq > wfe_checkpoints.seq;

    -- What a delivery said is in the journal by now. The rest of it stays, so that the same one is not taken twice.
    WITH read AS (
      UPDATE $s.wfe_deliveries d SET outcome = i.outcome, reason = i.reason, body = ''
      FROM json_to_recordset(p_rest -> 'reads') AS i (run bigint, number bigint, outcome text, reason text)
      WHERE (v_all OR i.run = ANY (v_applied)) AND d.run = i.run AND d.number = i.number AND d.outcome IS NULL
      RETURNING d.run, d.exempt
    )
    UPDATE $s.wfe_workflows w SET limited = w.limited - r.ordinary
    FROM (SELECT run, count(*) AS ordinary FROM read WHERE exempt = 0 GROUP BY run) r WHERE w.run = r.run;

    -- Endings first: a pointer that waits again in the turn that read its event keeps the new subscription.
    DELETE FROM $s.wfe_subscriptions b
    USING json_to_recordset(p_rest -> 'unsubscribe') AS i (run bigint, pointer bigint)
    WHERE (v_all OR i.run = ANY (v_applied)) AND b.run = i.run AND b.pointer = i.pointer;

    IF p_rest -> 'subscribe' IS NOT NULL THEN
      WITH item AS MATERIALIZED (
        SELECT i.run, i.pointer, i.after, s.stream, s.last
        FROM json_to_recordset(p_rest -> 'subscribe')
          AS i (run bigint, namespace text, name text, key text, pointer bigint, after bigint)
        JOIN $s.wfe_streams s ON s.namespace = i.namespace AND s.name = i.name AND s.key = i.key
        WHERE v_all OR i.run = ANY (v_applied)
      ), added AS (
        INSERT INTO $s.wfe_subscriptions (run, pointer, stream) SELECT DISTINCT run, pointer, stream FROM item
        ON CONFLICT DO NOTHING
      )
      SELECT coalesce(array_agg(DISTINCT run), '{}') INTO v_behind FROM item WHERE last > after;
    END IF;

    IF p_rest -> 'create' IS NOT NULL THEN
      -- Places anew, since those of turns that were refused are left out.
      SELECT json_agg(item || jsonb_build_object('place', place)) INTO v_created FROM (
        SELECT item, row_number() OVER () AS place FROM jsonb_array_elements((p_rest -> 'create')::jsonb) AS i (item)
        WHERE v_all OR (item ->> 'by')::bigint = ANY (v_applied)
      ) items;
      IF v_created IS NOT NULL THEN v_created := $s.wfe_create(v_now, v_created); END IF;
    END IF;

    IF p_rest -> 'deliver' IS NOT NULL THEN
      -- No limit: what a turn delivers is the engine's own, and the turn cannot be taken back for a full inbox.
      v_woken := $s.wfe_deliver_locked(v_now, (
        SELECT json_agg(item) FROM json_array_elements(p_rest -> 'deliver') AS i (item)
        WHERE v_all OR (item ->> 'by')::bigint = ANY (v_applied)
      ), NULL);
      v_signals := ARRAY(SELECT w.signals FROM unnest(t_run) WITH ORDINALITY AS t (run, place)
        JOIN $s.wfe_workflows w ON w.run = t.run ORDER BY t.place);
    END IF;
  END IF;

  IF v_rows AND v_all THEN
    SELECT * INTO v_written, v_due FROM $s.wfe_write_locked_rows(v_now, p_format, v_behind, w_run, w_claim, w_status, w_due,
      w_release, w_noted, w_version, w_hash, w_completed, w_waiting, w_result, w_error);
  ELSIF v_rows THEN
    v_places := ARRAY(SELECT place FROM unnest(w_run) WITH ORDINALITY AS i (run, place) WHERE run = ANY (v_applied));
    SELECT r.* INTO v_written, v_due FROM (
      SELECT array_agg(w_run[p]) AS run, array_agg(w_claim[p]) AS claim, array_agg(w_status[p]) AS status,
        array_agg(w_due[p]) AS due, array_agg(w_release[p]) AS release, array_agg(w_noted[p]) AS noted,
        array_agg(w_version[p]) AS version, array_agg(w_hash[p]) AS hash, array_agg(w_completed[p]) AS completed,
        array_agg(w_waiting[p]) AS waiting, array_agg(w_result[p]) AS result, array_agg(w_error[p]) AS error
      FROM unnest(v_places) AS places (p)
    ) i CROSS JOIN LATERAL $s.wfe_write_locked_rows(v_now, p_format, v_behind, i.run, i.claim, i.status, i.due, i.release,
      i.noted, i.version, i.hash, i.completed, i.waiting, i.result, i.error) r;
  END IF;

  RETURN json_build_object('now', v_now, 'signals', to_json(v_signals), 'refused', v_refused, 'written', to_json(v_written),
    'due', to_json(v_due), 'behind', to_json(v_behind), 'woken', to_json(v_woken), 'created', v_created);
END
$body$`;
