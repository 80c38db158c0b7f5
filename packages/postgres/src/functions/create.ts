/** The number of a definition, which is added where it is new. */
export const definition: string = `
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

/** Of all items, in the order of ids: two that create the same ids wait for each other in one direction. */
const insertAll = `
    INSERT INTO $s.wfe_workflows (run, due_at, definition, status, priority, created_at, updated_at, parent_run,
      parent_pointer, namespace, id, uid, tags)
    SELECT v_runs[place], coalesce("startAt", p_now), definition, 'runnable', priority, p_now, p_now, "parentRun",
      "parentPointer", namespace, id, uid, tags::text
    FROM json_to_recordset(p_items) AS i (place integer, namespace text, id text, uid text, definition bigint,
      priority integer, tags json, "startAt" bigint, "parentRun" bigint, "parentPointer" bigint)
    ORDER BY namespace, id`;

/**
 * Stores workflows by plain inserts; those whose id is taken are described. Takes a list of
 * `{place, namespace, id, uid, definition, priority, tags, startAt, start, parentRun, parentPointer, turn, entries, host}`,
 * each id once and places from 1, and gives `{now, fresh, created}`: the runs that are new, of all in their order where no id
 * was taken; else what is there of each as `created`.
 */
export const create: string = `
CREATE FUNCTION $s.wfe_create(p_now bigint, p_items json) RETURNS json LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_count integer := json_array_length(p_items);
  v_runs bigint[];
  v_starts text[];
  v_turns boolean;
  v_tags boolean;
  v_new bigint[];
  v_all boolean;
  v_created json;
  v_found bigint;
BEGIN
  -- Numbers in the order of the list.
  v_runs := ARRAY(SELECT nextval('$s.wfe_workflows_run_seq') FROM generate_series(1, v_count));
  SELECT array_agg(start ORDER BY place), bool_or(turn IS NOT NULL), bool_or(tags IS NOT NULL) INTO v_starts, v_turns, v_tags
  FROM json_to_recordset(p_items) AS i (place integer, start text, turn text, tags json);
  -- Mostly all ids are free: then it is a plain insert.
  BEGIN
    ${insertAll};
    v_new := v_runs;
  EXCEPTION WHEN unique_violation THEN
    WITH added AS (
      ${insertAll} ON CONFLICT (namespace, id) DO NOTHING RETURNING run
    )
    SELECT coalesce(array_agg(run), '{}') INTO v_new FROM added;
  END;
  v_all := cardinality(v_new) = v_count;

  INSERT INTO $s.wfe_starts (run, text)
  SELECT run, start FROM unnest(v_runs, v_starts) AS i (run, start) WHERE v_all OR run = ANY (v_new);
  IF v_turns THEN
    INSERT INTO $s.wfe_turns (run, seq, turn, at, host, entries)
    SELECT v_runs[place], 0, turn, p_now, host, entries
    FROM json_to_recordset(p_items) AS i (place integer, turn text, entries text, host text)
    WHERE turn IS NOT NULL AND (v_all OR v_runs[place] = ANY (v_new));
  END IF;
  IF v_tags THEN
    INSERT INTO $s.wfe_tags (namespace, tag, created_at, run)
    SELECT DISTINCT namespace, tag, p_now, v_runs[place]
    FROM json_to_recordset(p_items) AS i (place integer, namespace text, tags json)
    CROSS JOIN json_array_elements_text(tags) AS t (tag)
    WHERE tags IS NOT NULL AND (v_all OR v_runs[place] = ANY (v_new));
  END IF;

  IF NOT v_all THEN
    SELECT json_agg(json_build_array(w.run, w.uid, d.id, d.version) ORDER BY i.place), count(*)
    INTO v_created, v_found
    FROM json_to_recordset(p_items) AS i (place integer, namespace text, id text)
    JOIN $s.wfe_workflows w ON w.namespace = i.namespace AND w.id = i.id
    JOIN $s.wfe_definitions d ON d.definition = w.definition;
    -- One that was in the way has been deleted meanwhile.
    IF v_found < v_count THEN RAISE EXCEPTION 'again' USING ERRCODE = 'serialization_failure'; END IF;
  END IF;
  RETURN json_build_object('now', p_now, 'fresh', to_json(CASE WHEN v_all THEN v_runs ELSE v_new END), 'created', v_created);
END
$body$`;

/** The same for callers, in a transaction of its own. */
export const createAlone: string = `
CREATE FUNCTION $s.wfe_create_alone(p_now bigint, p_lock_ms integer, p_items json, p_store text) RETURNS json
LANGUAGE plpgsql AS $body$
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms, p_store);
  RETURN $s.wfe_create($s.wfe_now(p_now), p_items);
END
$body$`;
