import type { DefinitionRef } from "@wfe/core/providers";
import { arrayOf, definitionArrays } from "./arrays.ts";
import type { Store } from "./store.ts";

export interface Due {
  readonly isSomething: boolean;
  /** Since when the first of the workflows is due; null: none is. */
  readonly since: number | null;
}

/**
 * Whether there is something to do: a free workflow of these definitions that is due (of any, where there are none), one of
 * these leases' that something has come for, or an event. Costs an index look-up for each definition.
 */
export async function lookForDue(
  store: Store,
  definitions: readonly DefinitionRef[],
  leases: readonly string[],
): Promise<Due> {
  const due = await store.readJson<Due>(
    `WITH clock AS MATERIALIZED (SELECT $s.wfe_now($1::bigint) AS now), first AS MATERIALIZED (
      SELECT min(first.due_at) AS due_at FROM clock, $s.wfe_definitions d CROSS JOIN LATERAL (
        SELECT due_at FROM $s.wfe_workflows w WHERE w.definition = d.definition AND w.owner IS NULL AND w.due_at IS NOT NULL
        ORDER BY w.due_at LIMIT 1
      ) first
      WHERE first.due_at <= clock.now AND ($2::boolean OR EXISTS (
        SELECT FROM unnest($3::text[], $4::bigint[], $5::text[]) AS i (id, version, hash)
        WHERE i.id = d.id AND i.version = d.version AND coalesce(i.hash, d.hash) = d.hash
      ))
    )
    SELECT json_build_object('since', first.due_at, 'isSomething', first.due_at IS NOT NULL
    OR EXISTS (SELECT FROM $s.wfe_workflows WHERE owner = ANY ($6::text[]) AND due_at <= clock.now)
    OR EXISTS (SELECT FROM $s.wfe_staged_events)
    OR EXISTS (SELECT FROM $s.wfe_streams WHERE pending = 1)
    OR EXISTS (SELECT FROM $s.wfe_events WHERE number IS NULL AND effective_at <= clock.now))::text AS json FROM clock, first`,
    [store.now, definitions.length === 0, ...definitionArrays(definitions), arrayOf(leases)],
  );
  return due ?? { isSomething: false, since: null };
}
