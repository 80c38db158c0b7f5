import type { DeliverResult, DeliveryOutcome, NewDelivery, Run } from "@wfe/core/providers";
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
    "SELECT $s.wfe_deliver($1::bigint, $2::integer, $3::json, $4::bigint, $5)::text AS json",
    [
      store.now,
      store.patience.ms,
      JSON.stringify(deliveries.map(deliveryItem)),
      Number.isFinite(inboxLimit) ? inboxLimit : null,
      store.storeId,
    ],
  );
  hints.committed(answer?.woken ?? [], false);
  return deliveries.map((_, place) => {
    const number = answer?.results[place] ?? null;
    if (number === null) return { outcome: "no-such-workflow" };
    return number === false ? { outcome: "inbox-full" } : { outcome: "accepted", number };
  });
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
