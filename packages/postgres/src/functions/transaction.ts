/** Whether this is the store that the caller means, and not one that was made after its schema had been lost. */
export const checkStore = `
  IF p_store <> (SELECT value FROM $s.wfe_meta WHERE name = 'store') THEN
    RAISE EXCEPTION 'another store' USING ERRCODE = 'WFE03';
  END IF;`;

/** What every function that writes calls first. `p_store`: the store that the caller means, whose numbers it uses. */
export const begin: string = `
CREATE FUNCTION $s.wfe_begin(p_lock_ms integer, p_store text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $body$
BEGIN
  -- Each statement of a function has to see what was committed before it began. An older snapshot loses wake-ups.
  IF current_setting('transaction_isolation') <> 'read committed' THEN
    RAISE EXCEPTION 'WFE writes in READ COMMITTED only' USING ERRCODE = 'WFE01';
  END IF;
  ${checkStore}
  -- A role or a database may have it off: what is acknowledged has to survive a power loss.
  IF current_setting('synchronous_commit') IN ('off', 'local') THEN
    PERFORM set_config('synchronous_commit', 'on', true);
  END IF;
  IF p_lock_ms IS NOT NULL THEN
    PERFORM set_config('lock_timeout', p_lock_ms::text, true);
  END IF;
END
$body$`;

/** The store's time in milliseconds; a test's clock stands in for it. */
export const now: string = `
CREATE FUNCTION $s.wfe_now(p_now bigint) RETURNS bigint LANGUAGE sql VOLATILE AS $body$
  SELECT coalesce(p_now, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)
$body$`;

/** Raises the workflows' signals and makes them due now, those that are owned too: releasing them finds it out. */
export const wake: string = `
CREATE FUNCTION $s.wfe_wake(p_now bigint, p_runs bigint[]) RETURNS void LANGUAGE plpgsql $plans AS $body$
BEGIN
  IF coalesce(array_length(p_runs, 1), 0) = 0 THEN RETURN; END IF;
  PERFORM 1 FROM $s.wfe_workflows WHERE run = ANY (p_runs) ORDER BY run FOR NO KEY UPDATE;
  UPDATE $s.wfe_workflows
  SET signals = signals + 1, due_at = CASE WHEN due_at IS NULL OR due_at > p_now THEN p_now ELSE due_at END
  WHERE run = ANY (p_runs);
END
$body$`;
