import { rowJoins, selectClaimed } from "../rows.ts";

/** What one point of priority is worth, in waiting. */
const pointMs = 60_000;

/** Of the texts that one claim gives; the first workflow is given whatever it has. What is more stays due. */
const mostBytes = 32 * 1024 * 1024;
const bytes = "octet_length(s.text) + coalesce(octet_length(e.result), 0) + coalesce(octet_length(e.error), 0)";

const isDue = "owner IS NULL AND due_at IS NOT NULL AND due_at <= v_now";
const isFree = "owner IS NULL AND due_at IS NOT NULL AND due_at >= p_since";
/** The same as `isDue`, of rows that are known by their number: said so that no index over what is due is gone through for them. */
const isDueItself = "num_nulls(owner) = 1 AND due_at <= v_now";
const inOrder = "ORDER BY namespace, priority, due_at LIMIT 1";

/** Round after round each namespace gives its first; within a round, and of one namespace, by priority and waiting. */
const ranked = (candidates: string): string => `
  SELECT array_agg(run ORDER BY round, score, run) FROM (
    SELECT run, score, row_number() OVER (PARTITION BY namespace ORDER BY score, run) AS round
    FROM (SELECT run, namespace, due_at - priority * ${pointMs}::bigint AS score FROM (${candidates}) c) scored
  ) rounds`;

/**
 * Takes workflows for the lease. Where more are due than may be taken, the first of every lane (one definition, namespace and
 * priority) are looked at: in a lane the order of claiming is that of the due times, so they are all that a claim can take,
 * however many wait behind them. Of more lanes than `p_lanes` some are looked at, from the namespace `p_from` on.
 *
 * `p_since`: nothing is looked for that was due before. Gives `{rows, stopped, left}`: the namespace at which the next claim should
 * go on, or null; the time before which nothing is left that is due, or null where `p_runs` were asked for
 * or something was left for its size.
 */
export const claim: string = `
CREATE FUNCTION $s.wfe_claim(p_now bigint, p_lock_ms integer, p_lease text, p_limit integer, p_ids text[], p_versions bigint[],
  p_hashes text[], p_format integer, p_runs bigint[], p_lanes integer, p_from text, p_since bigint, p_store text)
RETURNS json LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_now bigint := $s.wfe_now(p_now);
  v_definitions bigint[];
  v_oldest bigint[];
  v_left bigint;
  v_ranked bigint[];
  v_taken bigint[] := '{}';
  v_dues bigint[] := '{}';
  v_some bigint[];
  v_some_dues bigint[];
  v_over bigint[];
  v_depth integer;
  v_found bigint;
  v_cut boolean;
  v_lanes json;
  v_stopped text;
BEGIN
  v_definitions := ARRAY(
    SELECT DISTINCT d.definition FROM unnest(p_ids, p_versions, p_hashes) AS i (id, version, hash)
    JOIN $s.wfe_definitions d ON d.id = i.id AND d.version = i.version AND d.hash = coalesce(i.hash, d.hash)
    WHERE d.format <= p_format
  );
  IF p_runs IS NOT NULL THEN
    v_ranked := (${ranked(`
      SELECT run, namespace, priority, due_at FROM $s.wfe_workflows
      WHERE run = ANY (p_runs) AND definition = ANY (v_definitions) AND ${isDueItself}`)});
  ELSE
    SELECT array_agg(run) INTO v_oldest FROM (
      SELECT w.run FROM unnest(v_definitions) AS d (definition) CROSS JOIN LATERAL (
        SELECT run FROM $s.wfe_workflows o WHERE o.definition = d.definition AND ${isDue} AND due_at >= p_since
        ORDER BY due_at LIMIT p_limit + 1
      ) w LIMIT p_limit + 1
    ) oldest;
    IF coalesce(array_length(v_oldest, 1), 0) <= p_limit THEN
      v_left := v_now;
      v_ranked := (${ranked(
        "SELECT run, namespace, priority, due_at FROM $s.wfe_workflows WHERE run = ANY (v_oldest)",
      )});
    ELSE
      v_left := (
        SELECT min(w.due_at) FROM unnest(v_definitions) AS d (definition) CROSS JOIN LATERAL (
          SELECT due_at FROM $s.wfe_workflows o WHERE o.definition = d.definition AND ${isDue} AND due_at >= p_since
          ORDER BY due_at LIMIT 1
        ) w
      );
    END IF;
  END IF;
  IF p_runs IS NULL AND v_oldest IS NULL THEN RETURN json_build_object('left', v_left); END IF;
  IF v_ranked IS NULL AND p_runs IS NOT NULL THEN RETURN NULL; END IF;

  PERFORM $s.wfe_begin(p_lock_ms, p_store);
  IF v_ranked IS NOT NULL THEN
    SELECT o_runs, o_dues INTO v_taken, v_dues FROM $s.wfe_take(v_now, p_lease, p_limit, v_ranked);
  ELSE
    SELECT json_agg(l), min(namespace) FILTER (WHERE place = p_lanes) INTO v_lanes, v_stopped FROM (
      SELECT l.definition, l.namespace, l.priority, l.due_at, row_number() OVER (PARTITION BY l.definition) AS place
      FROM unnest(v_definitions) AS d (definition) CROSS JOIN LATERAL (
        SELECT * FROM $s.wfe_lanes(d.definition, p_from, p_since, p_lanes)
      ) l
    ) l;
    v_depth := p_limit;
    LOOP
      WITH candidate AS (
        SELECT w.* FROM json_to_recordset(v_lanes) AS l (definition bigint, namespace text, priority integer, due_at bigint)
        CROSS JOIN LATERAL (
          SELECT run, namespace, priority, due_at FROM $s.wfe_workflows w
          WHERE w.definition = l.definition AND w.namespace = l.namespace AND w.priority = l.priority AND ${isDue}
            AND due_at >= p_since ORDER BY due_at LIMIT v_depth
        ) w
        WHERE l.due_at <= v_now
      )
      SELECT (${ranked("SELECT * FROM candidate")}), count(*), count(*) >= v_depth INTO v_ranked, v_found, v_cut FROM candidate;
      SELECT o_runs, o_dues INTO v_some, v_some_dues
      FROM $s.wfe_take(v_now, p_lease, p_limit - coalesce(array_length(v_taken, 1), 0), v_ranked);
      v_taken := v_taken || v_some;
      v_dues := v_dues || v_some_dues;
      -- The first ones may have been in other hands: then those behind them are looked at.
      EXIT WHEN coalesce(array_length(v_taken, 1), 0) >= p_limit OR NOT v_cut OR v_depth > p_limit * 50;
      v_depth := v_depth * 4;
    END LOOP;
    IF coalesce(array_length(v_taken, 1), 0) < p_limit THEN
      SELECT o_runs, o_dues INTO v_some, v_some_dues
      FROM $s.wfe_take(v_now, p_lease, p_limit - coalesce(array_length(v_taken, 1), 0), v_oldest);
      v_taken := v_taken || v_some;
      v_dues := v_dues || v_some_dues;
    END IF;
  END IF;
  -- Lengths are known without reading the texts.
  IF cardinality(v_taken) > 1 AND (
    SELECT sum(${bytes}) FROM $s.wfe_starts s LEFT JOIN $s.wfe_ends e ON e.run = s.run WHERE s.run = ANY (v_taken)
  ) > ${mostBytes} THEN
    SELECT array_agg(run) FILTER (WHERE place > 1 AND bytes > ${mostBytes}) INTO v_over FROM (
      SELECT taken.run, taken.place, sum(${bytes}) OVER (ORDER BY taken.place) AS bytes
      FROM unnest(v_taken) WITH ORDINALITY AS taken (run, place) JOIN $s.wfe_starts s ON s.run = taken.run
      LEFT JOIN $s.wfe_ends e ON e.run = taken.run
    ) sized;
    -- As if nobody had asked for them: what a claim does nobody has seen yet.
    UPDATE $s.wfe_workflows w SET owner = NULL, claim = w.claim - 1, due_at = t.due
    FROM unnest(v_taken, v_dues) AS t (run, due) WHERE w.run = t.run AND w.run = ANY (v_over);
    v_taken := v_taken[1 : cardinality(v_taken) - cardinality(v_over)];
    v_left := NULL;
    v_stopped := p_from;
  END IF;
  RETURN json_build_object('stopped', v_stopped, 'left', v_left, 'rows', (
    SELECT json_agg(claimed) FROM (
      SELECT ${selectClaimed} FROM unnest(v_taken) WITH ORDINALITY AS taken (run, place) JOIN $s.wfe_workflows w ON w.run = taken.run
      ${rowJoins} ORDER BY taken.place
    ) claimed
  ));
END
$body$`;

/** Takes up to so many of these, in their order, where nobody else is at it. Gives them in the order of claiming, and when they were due. */
export const take: string = `
CREATE FUNCTION $s.wfe_take(v_now bigint, p_lease text, p_limit integer, p_runs bigint[],
  OUT o_runs bigint[], OUT o_dues bigint[]) LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_taken bigint[];
BEGIN
  v_taken := ARRAY(
    SELECT w.run FROM unnest(p_runs) WITH ORDINALITY AS i (run, place) JOIN $s.wfe_workflows w ON w.run = i.run
    WHERE ${isDueItself} ORDER BY i.place LIMIT p_limit FOR NO KEY UPDATE OF w SKIP LOCKED
  );
  SELECT coalesce(array_agg(run), '{}'), coalesce(array_agg(due_at), '{}') INTO o_runs, o_dues FROM (
    SELECT run, due_at FROM $s.wfe_workflows WHERE run = ANY (v_taken) ORDER BY due_at - priority * ${pointMs}::bigint, run
  ) ordered;
  UPDATE $s.wfe_workflows SET owner = p_lease, claim = claim + 1, due_at = NULL WHERE run = ANY (v_taken);
END
$body$`;

/**
 * The first lanes that have free workflows, with the due time of their first: a look-up each, past all that is in them. What was
 * due before `p_since` does not count.
 */
export const lanes: string = `
CREATE FUNCTION $s.wfe_lanes(p_definition bigint, p_from text, p_since bigint, p_limit integer)
RETURNS TABLE (definition bigint, namespace text, priority integer, due_at bigint) LANGUAGE plpgsql $plans AS $body$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  WITH RECURSIVE lane AS (
    (SELECT w.definition, w.namespace, w.priority, w.due_at FROM $s.wfe_workflows w
      WHERE w.definition = p_definition AND w.namespace >= p_from AND ${isFree} ${inOrder})
    UNION ALL
    SELECT n.* FROM lane l CROSS JOIN LATERAL (
      SELECT w.definition, w.namespace, w.priority, w.due_at FROM $s.wfe_workflows w
      WHERE w.definition = p_definition AND (w.namespace, w.priority) > (l.namespace, l.priority) AND ${isFree} ${inOrder}
    ) n
  ), around AS (
    (SELECT w.definition, w.namespace, w.priority, w.due_at FROM $s.wfe_workflows w
      WHERE w.definition = p_definition AND w.namespace < p_from AND ${isFree} ${inOrder})
    UNION ALL
    SELECT n.* FROM around l CROSS JOIN LATERAL (
      SELECT w.definition, w.namespace, w.priority, w.due_at FROM $s.wfe_workflows w
      WHERE w.definition = p_definition AND (w.namespace, w.priority) > (l.namespace, l.priority) AND w.namespace < p_from
        AND ${isFree} ${inOrder}
    ) n
  )
  (SELECT * FROM lane LIMIT p_limit) UNION ALL (SELECT * FROM around LIMIT p_limit) LIMIT p_limit;
END
$body$`;
