import { checkStore } from "./transaction.ts";

export const createIn: string = `
CREATE FUNCTION $s.wfe_create_in(p_store text, p_now bigint, p_items json) RETURNS json LANGUAGE plpgsql AS $body$
BEGIN
  ${checkStore}
  RETURN $s.wfe_create($s.wfe_now(p_now), p_items);
END
$body$`;

/** Gives `[number or null, duplicate]` for each. Whether a stranger publishes the same id now is found out later. */
export const stageEvents: string = `
CREATE FUNCTION $s.wfe_stage_events(p_store text, p_items json) RETURNS json LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_known json;
BEGIN
  ${checkStore}
  SELECT json_agg(json_build_array(e.number, e.event IS NOT NULL OR EXISTS (
      SELECT FROM $s.wfe_staged_events g WHERE g.namespace = i.namespace AND g.event_id = i.id
    ) OR EXISTS (
      SELECT FROM json_to_recordset(p_items) AS o (place integer, namespace text, id text)
      WHERE o.namespace = i.namespace AND o.id = i.id AND o.place < i.place
    )) ORDER BY i.place) INTO v_known
  FROM json_to_recordset(p_items) AS i (place integer, namespace text, id text)
  LEFT JOIN $s.wfe_events e ON e.namespace = i.namespace AND e.event_id = i.id;
  INSERT INTO $s.wfe_staged_events (namespace, name, key, event_id, payload, effective_at)
  SELECT namespace, name, key, id, payload, "effectiveAt"
  FROM json_to_recordset(p_items)
    AS i (place integer, namespace text, name text, key text, id text, payload text, "effectiveAt" bigint)
  WHERE NOT (v_known -> i.place ->> 1)::boolean ORDER BY i.place;
  RETURN v_known;
END
$body$`;
