/** The number of a definition, which is added where it is new. */
export const definition = `
CREATE FUNCTION $s.wfe_definition(p_id text, p_version bigint, p_hash text, p_format integer) RETURNS bigint
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_definition bigint;
BEGIN
  LOOP
    SELECT definition INTO v_definition FROM $s.wfe_definitions
    WHERE id = p_id AND version = p_version AND hash = p_hash AND format = p_format;
    IF FOUND THEN RETURN v_definition; END IF;
    INSERT INTO $s.wfe_definitions (id, version, hash, format) VALUES (p_id, p_version, p_hash, p_format)
    ON CONFLICT DO NOTHING;
  END LOOP;
END
$body$`;

/**
 * Stores workflows by plain inserts; those whose id is taken are described. Takes a list of
 * \`{place, namespace, id, uid, definition, priority, tags, startAt, start, parentRun, parentPointer, turn, entries, host}\`,
 * each id once, and gives \`{created, fresh, woken, later}\`.
 */
export const create = `
CREATE FUNCTION $s.wfe_create(p_now bigint, p_items json) RETURNS json LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_new bigint[];
  v_created json;
  v_count bigint;
  v_woken json;
  v_later boolean;
BEGIN
  -- Numbers in the order of the list, rows in the order of ids: two that create the same ids wait for each other in one direction.
  WITH item AS MATERIALIZED (
    SELECT i.*, nextval('$s.wfe_workflows_run_seq') AS run
    FROM json_to_recordset(p_items) AS i (namespace text, id text, uid text, definition bigint, priority integer, tags json,
      "startAt" bigint, start text, "parentRun" bigint, "parentPointer" bigint, turn text, entries text, host text)
  ), added AS (
    INSERT INTO $s.wfe_workflows (run, due_at, definition, status, priority, created_at, updated_at, parent_run,
      parent_pointer, namespace, id, uid, tags)
    SELECT run, coalesce("startAt", p_now), definition, 'runnable', priority, p_now, p_now, "parentRun", "parentPointer",
      namespace, id, uid, tags::text
    FROM item ORDER BY namespace, id
    ON CONFLICT (namespace, id) DO NOTHING RETURNING run
  ), starts AS (
    INSERT INTO $s.wfe_starts (run, text) SELECT run, start FROM item JOIN added USING (run)
  ), turns AS (
    INSERT INTO $s.wfe_turns (run, seq, turn, at, host, entries)
    SELECT run, 0, turn, p_now, host, entries FROM item JOIN added USING (run) WHERE turn IS NOT NULL
  ), tags AS (
    INSERT INTO $s.wfe_tags (namespace, tag, created_at, run)
    SELECT DISTINCT namespace, tag, p_now, run
    FROM item JOIN added USING (run) CROSS JOIN json_array_elements_text(tags) AS t (tag)
  )
  SELECT array_agg(run) INTO v_new FROM added;

  SELECT json_agg(json_build_array(w.uid = i.uid, w.run, w.uid, d.id, d.version) ORDER BY i.place), count(*)
  INTO v_created, v_count
  FROM json_to_recordset(p_items) AS i (place integer, namespace text, id text, uid text)
  JOIN $s.wfe_workflows w ON w.namespace = i.namespace AND w.id = i.id
  JOIN $s.wfe_definitions d ON d.definition = w.definition;
  -- One that was in the way has been deleted meanwhile.
  IF v_count < json_array_length(p_items) THEN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END IF;

  SELECT json_agg(run) FILTER (WHERE due_at <= p_now), coalesce(bool_or(due_at > p_now), false) INTO v_woken, v_later
  FROM $s.wfe_workflows WHERE run = ANY (v_new);
  RETURN json_build_object('created', v_created, 'fresh', coalesce(to_json(v_new), '[]'::json), 'woken', v_woken, 'later', v_later);
END
$body$`;

/** The same for callers, in a transaction of its own. */
export const createAlone = `
CREATE FUNCTION $s.wfe_create_alone(p_now bigint, p_lock_ms integer, p_items json) RETURNS json LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms);
  RETURN $s.wfe_create($s.wfe_now(p_now), p_items);
END
$body$`;
