import type { CommitResult, Run, RowWrite, TransactionalTurn, TurnCommit } from "../../providers/index.ts";
import { finalStatuses, InvalidOptionError } from "../../providers/index.ts";
import type { Instance } from "./instance.ts";
import type { Store } from "./store.ts";

/** Appends one turn with all that goes with it, or does nothing. */
export function commit(store: Store, turn: TurnCommit | TransactionalTurn): CommitResult {
  if ("execute" in turn) return { outcome: "failed", error: noTransactions() };

  const instance = store.instances.get(turn.run);
  if (instance === undefined) return { outcome: "hole" };
  const stored = instance.turns[turn.seq];
  if (stored !== undefined) return { outcome: "conflict", turn: stored.turn };
  if (turn.seq !== instance.turns.length) return { outcome: "hole" };

  const { seq, host, entriesText } = turn;
  instance.turns.push(Object.freeze({ seq, turn: turn.turn, at: store.now(), host, entriesText }));
  saveCheckpoint(instance, turn);
  for (const read of turn.read ?? []) store.read(instance, read);
  const behind = moveSubscriptions(store, instance, turn);
  for (const workflow of turn.create ?? []) store.create(workflow);
  // No limit: what a turn delivers is the engine's own, and the turn cannot be taken back for a full inbox.
  for (const delivery of turn.deliver ?? []) store.deliver(delivery, Number.POSITIVE_INFINITY);

  const rowWritten = turn.row !== undefined && writeRow(store, turn.run, turn.claim, turn.row, behind);
  return {
    outcome: "applied",
    rowWritten,
    signals: instance.signals,
    behind,
    ...(rowWritten && turn.row?.release ? { dueAt: instance.dueAt } : {}),
  };
}

/** False where the claim is lost. `behind`: events that came before a subscription are there to be read. */
export function writeRow(store: Store, run: Run, claim: number, row: RowWrite, behind: boolean): boolean {
  const instance = store.instances.get(run);
  if (instance === undefined || instance.claim !== claim) return false;

  const now = store.now();
  // An event that was published between the last pull and the subscription has woken nobody. Were the workflow let go
  // asleep, only its host would know (by `behind`), and might die before it acts on it.
  const wanted = row.release && (instance.signals > row.notedSignals || behind);
  store.change(instance, () => {
    instance.status = row.status;
    instance.dueAt = wanted ? now : row.dueAt;
    if (row.release) instance.owner = null;
    instance.version = row.version;
    instance.definitionHash = row.definitionHash;
    instance.completedAt = row.completedAt;
    instance.resultText = row.resultText;
    instance.errorText = row.errorText;
    instance.waitingFor = Object.freeze(row.waitingFor.map((waiting) => Object.freeze({ ...waiting })));
    instance.updatedAt = now;
  });
  store.outbox.changed(run, now);
  if (row.release && instance.dueAt !== null && instance.dueAt <= now) store.hints.woken(run);
  else if (row.release && (instance.dueAt !== null || finalStatuses.includes(row.status))) store.hints.changed();
  return true;
}

function saveCheckpoint(instance: Instance, turn: TurnCommit): void {
  if (turn.checkpoint === undefined) return;
  const { seq, stateText } = turn.checkpoint;
  if (instance.checkpoint === null || instance.checkpoint.seq < seq)
    instance.checkpoint = Object.freeze({ seq, stateText });
}

/** Whether a stream has gone beyond the cursor of a new subscription. */
function moveSubscriptions(store: Store, instance: Instance, turn: TurnCommit): boolean {
  // Endings first: a pointer that waits again in the turn that read its event keeps the new subscription.
  if (turn.unsubscribe !== undefined && turn.unsubscribe.length > 0) store.unsubscribe(instance, turn.unsubscribe);
  let behind = false;
  for (const subscription of turn.subscribe ?? []) {
    if (store.subscribe(instance, turn.namespace, subscription)) behind = true;
  }
  return behind;
}

function noTransactions(): InvalidOptionError {
  return new InvalidOptionError(
    "memory() has no transactions for a step to join: test transactional steps on the database they are for",
  );
}
