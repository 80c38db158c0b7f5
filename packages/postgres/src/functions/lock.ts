/** Whether a lease is there and has not expired. */
const isLive = (lease: string): string =>
  `EXISTS (SELECT FROM $s.wfe_leases WHERE lease = ${lease} AND expires_at > v_now)`;

/** Takes keys for a lease where nobody else holds them; gives those that it has then. */
export const acquire: string = `
CREATE FUNCTION $s.wfe_acquire(p_now bigint, p_lock_ms integer, p_keys text[], p_lease text) RETURNS json
LANGUAGE plpgsql $plans AS $body$
DECLARE
  v_now bigint;
  v_key text;
  v_holder text;
  v_taken text[] := '{}';
BEGIN
  PERFORM $s.wfe_begin(p_lock_ms);
  v_now := $s.wfe_now(p_now);
  IF NOT ${isLive("p_lease")} THEN RETURN '[]'; END IF;
  -- In one order, so that two who want the same keys do not wait for each other.
  FOR v_key IN SELECT DISTINCT key COLLATE "C" FROM unnest(p_keys) AS k (key) ORDER BY 1 LOOP
    INSERT INTO $s.wfe_keys (key, lease) VALUES (v_key, p_lease) ON CONFLICT DO NOTHING;
    SELECT lease INTO v_holder FROM $s.wfe_keys WHERE key = v_key FOR UPDATE;
    -- Asked anew, by a statement that sees what its holder has done since.
    IF v_holder = p_lease OR NOT ${isLive("v_holder")} THEN
      UPDATE $s.wfe_keys SET lease = p_lease WHERE key = v_key AND lease <> p_lease;
      v_taken := v_taken || v_key;
    END IF;
  END LOOP;
  RETURN to_json(v_taken);
END
$body$`;
