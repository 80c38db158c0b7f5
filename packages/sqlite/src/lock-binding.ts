import type { LockBinding } from "@wfe/core/providers";
import { bury } from "./lock.ts";
import type { Session } from "./session.ts";

/** Records which lock provider hosts use; see the contract. */
export function bindLockProvider(session: Session, name: string, lease: string | undefined): LockBinding {
  session.run("INSERT INTO wfe_meta (name, value) VALUES ('lock', ?) ON CONFLICT DO NOTHING", name);
  const bound = session.value<string>("SELECT value FROM wfe_meta WHERE name = 'lock'") ?? name;
  if (bound === name || lease === undefined) return { name: bound, leases: [] };
  const living = session.values<string>(
    "SELECT lease FROM wfe_leases WHERE lease <> ? AND expires_at > ? LIMIT 1000",
    lease,
    session.now(),
  );
  if (living.length > 0) return { name: bound, leases: living };
  // Whoever has slept does not go on under another lock provider's eyes.
  for (const other of session.values<string>("SELECT lease FROM wfe_leases WHERE lease <> ?", lease))
    bury(session, other);
  session.run("UPDATE wfe_meta SET value = ? WHERE name = 'lock'", name);
  return { name, leases: [] };
}
