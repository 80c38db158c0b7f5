/**
 * Appends lines of steps and keeps the newest of each workflow. A workflow's lines are numbered without a gap, under the lock of a row
 * of their own: whoever reads on from a number misses none, also where two hosts write, and what is too old is found by its number.
 */
export const log: string = `
CREATE FUNCTION $s.wfe_log(p_runs bigint[], p_ats bigint[], p_texts text[], p_keep bigint) RETURNS void
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_runs bigint[];
BEGIN
  PERFORM $s.wfe_begin(NULL);
  -- Whoever deletes a workflow has done so, or waits: no line stays behind of one that is gone. No turn waits for this.
  v_runs := ARRAY(SELECT run FROM $s.wfe_workflows WHERE run = ANY (p_runs) ORDER BY run FOR KEY SHARE);
  INSERT INTO $s.wfe_log_ends AS e (run, last)
    SELECT run, count(*) FROM unnest(p_runs) AS l (run) WHERE run = ANY (v_runs) GROUP BY run ORDER BY run
    ON CONFLICT (run) DO UPDATE SET last = e.last + excluded.last;
  INSERT INTO $s.wfe_logs (run, line, at, text)
    SELECT l.run, e.last - l.after, l.at, l.text FROM (
      SELECT run, at, text, count(*) OVER (PARTITION BY run) - row_number() OVER (PARTITION BY run ORDER BY place) AS after
      FROM unnest(p_runs, p_ats, p_texts) WITH ORDINALITY AS l (run, at, text, place) WHERE run = ANY (v_runs)
    ) l JOIN $s.wfe_log_ends e ON e.run = l.run;
  DELETE FROM $s.wfe_logs l USING $s.wfe_log_ends e
    WHERE e.run = ANY (v_runs) AND l.run = e.run AND l.line <= e.last - p_keep;
END
$body$`;
