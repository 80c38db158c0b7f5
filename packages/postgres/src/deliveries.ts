import type { DeliverResult, DeliveryOutcome, NewDelivery, Run, StoredDelivery } from "@wfe/core/providers";
import { arrayOf } from "./arrays.ts";
import type { Open } from "./postgres.ts";
import { checkText } from "./text.ts";

/** A delivery as `wfe_deliver` takes it. */
export function deliveryItem(
  { to, deliveryId, kind, bodyText, keepOutcome, exempt }: NewDelivery,
  place: number,
): object {
  return { place, to, id: deliveryId, kind, body: bodyText, keep: keepOutcome ? 1 : 0, exempt: exempt ? 1 : 0 };
}

export function checkDelivery({ kind, bodyText, deliveryId }: NewDelivery): void {
  checkText(kind, "a delivery's kind");
  checkText(bodyText, "a delivery");
  checkText(deliveryId, "a delivery's id");
}

export async function deliver(
  { store, hints }: Open,
  deliveries: readonly NewDelivery[],
  inboxLimit: number,
): Promise<DeliverResult[]> {
  for (const delivery of deliveries) checkDelivery(delivery);
  const answer = await store.writeJson<{ readonly results: (number | null | false)[]; readonly woken: Run[] | null }>(
    store.shared,
    "SELECT $s.wfe_deliver($1::bigint, $2::integer, $3::json, $4::bigint)::text AS json",
    [store.now, null, JSON.stringify(deliveries.map(deliveryItem)), Number.isFinite(inboxLimit) ? inboxLimit : null],
  );
  hints.committed(answer?.woken ?? [], false);
  return deliveries.map((_, place) => {
    const number = answer?.results[place] ?? null;
    if (number === null) return { outcome: "no-such-workflow" };
    return number === false ? { outcome: "inbox-full" } : { outcome: "accepted", number };
  });
}

/** The unread ones of these workflows, in order. */
export async function unreadDeliveries({ store }: Open, runs: readonly Run[]): Promise<Map<Run, StoredDelivery[]>> {
  const stored = await store.readJson<(StoredDelivery & { readonly run: Run })[]>(
    `SELECT json_agg(d ORDER BY run, number)::text AS json FROM (
      SELECT run, number, delivery_id AS "deliveryId", kind, body AS "bodyText", at FROM $s.wfe_deliveries
      WHERE run = ANY ($1::bigint[]) AND outcome IS NULL
    ) d`,
    [arrayOf(runs)],
  );
  const unread = new Map<Run, StoredDelivery[]>();
  for (const { run, ...delivery } of stored ?? []) {
    const known = unread.get(run);
    if (known === undefined) unread.set(run, [delivery]);
    else known.push(delivery);
  }
  return unread;
}

export async function deliveryOutcomes(
  { store }: Open,
  requests: readonly { readonly run: Run; readonly number: number }[],
): Promise<(DeliveryOutcome | undefined)[]> {
  const stored = await store.readJson<(DeliveryOutcome & { readonly place: number })[]>(
    `SELECT json_agg(json_build_object('place', i.place, 'number', d.number, 'outcome', d.outcome, 'reason', d.reason))::text
      AS json
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS i (run, number, place)
    JOIN $s.wfe_deliveries d ON d.run = i.run AND d.number = i.number WHERE d.outcome IS NOT NULL AND d.keep = 1`,
    [arrayOf(requests.map(({ run }) => run)), arrayOf(requests.map(({ number }) => number))],
  );
  const outcomes = new Map(stored?.map(({ place, ...outcome }) => [place, outcome]));
  return requests.map((_, at) => outcomes.get(at + 1));
}
