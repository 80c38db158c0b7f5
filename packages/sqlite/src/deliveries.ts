import type { DeliverResult, DeliveryOutcome, NewDelivery, Run, StoredDelivery } from "@wfe/core/providers";
import type { Session } from "./session.ts";
import { checkText } from "./text.ts";
import { wake } from "./wake.ts";

interface Inbox {
  /** The highest number given. */
  readonly delivered: number;
  /** How many unread ones count for the limit. */
  readonly limited: number;
}

/** Puts deliveries into inboxes and wakes their workflows, in the transaction that is open. */
export function deliver(session: Session, deliveries: readonly NewDelivery[], inboxLimit: number): DeliverResult[] {
  for (const { kind, bodyText, deliveryId } of deliveries) {
    checkText(kind, "a delivery's kind");
    checkText(bodyText, "a delivery");
    checkText(deliveryId, "a delivery's id");
  }
  const woken = new Set<Run>();
  const results = deliveries.map((delivery) => deliverOne(session, delivery, inboxLimit, woken));
  wake(session, woken);
  return results;
}

function deliverOne(session: Session, delivery: NewDelivery, inboxLimit: number, woken: Set<Run>): DeliverResult {
  const { to, deliveryId, kind, bodyText, keepOutcome, exempt } = delivery;
  const inbox = session.get<Inbox>("SELECT delivered, limited FROM wfe_heads WHERE run = ?", to);
  if (inbox === undefined) return { outcome: "no-such-workflow" };
  const sent = "SELECT number FROM wfe_deliveries WHERE run = ? AND delivery_id = ?";
  const stored = inbox.delivered === 0 ? undefined : session.value<number>(sent, to, deliveryId);
  if (stored !== undefined) return { outcome: "accepted", number: stored };
  if (!exempt && inbox.limited >= inboxLimit) return { outcome: "inbox-full" };

  const number = inbox.delivered + 1;
  session.run(
    `INSERT INTO wfe_deliveries (run, number, delivery_id, kind, body, at, keep, exempt) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    to,
    number,
    deliveryId,
    kind,
    bodyText,
    session.now(),
    keepOutcome ? 1 : 0,
    exempt ? 1 : 0,
  );
  session.run(
    "UPDATE wfe_heads SET delivered = ?, unread = unread + 1, limited = limited + ? WHERE run = ?",
    number,
    exempt ? 0 : 1,
    to,
  );
  woken.add(to);
  return { outcome: "accepted", number };
}

/** Records what a workflow has made of its deliveries. Reading one a second time does nothing. */
export function readDeliveries(session: Session, run: Run, read: readonly DeliveryOutcome[]): void {
  for (const { number, outcome, reason } of read) {
    const exempt = session.value<number>(
      "SELECT exempt FROM wfe_deliveries WHERE run = ? AND number = ? AND outcome IS NULL",
      run,
      number,
    );
    if (exempt === undefined) continue;
    // What it said is in the journal by now. The rest stays, so that the same delivery is not taken twice.
    session.run(
      "UPDATE wfe_deliveries SET outcome = ?, reason = ?, body = '' WHERE run = ? AND number = ?",
      outcome,
      reason,
      run,
      number,
    );
    session.run(
      "UPDATE wfe_heads SET unread = unread - 1, limited = limited - ? WHERE run = ?",
      exempt === 1 ? 0 : 1,
      run,
    );
  }
}

/** The unread ones, in order. */
export function unreadDeliveries(session: Session, run: Run): StoredDelivery[] {
  return session.all<StoredDelivery>(
    `SELECT number, delivery_id AS deliveryId, kind, body AS bodyText, at FROM wfe_deliveries
     WHERE run = ? AND outcome IS NULL ORDER BY number`,
    run,
  );
}

export function deliveryOutcome(session: Session, run: Run, number: number): DeliveryOutcome | undefined {
  return session.get<DeliveryOutcome>(
    "SELECT number, outcome, reason FROM wfe_deliveries WHERE run = ? AND number = ? AND outcome IS NOT NULL AND keep = 1",
    run,
    number,
  );
}
