import type { CommitResult, Run, RowWrite, StoreError, TransactionalTurn, TurnCommit } from "@wfe/core/providers";
import { appendTurns, type Head, judgeSeq } from "./append.ts";
import { createWorkflows } from "./create.ts";
import { deliver, readDeliveries } from "./deliveries.ts";
import { FlushRepeat, isItemError } from "./errors.ts";
import { subscribe, unsubscribe } from "./events.ts";
import { refusal } from "./guard.ts";
import { type RowToWrite, type RowWritten, writeRows } from "./row-write.ts";
import type { Session } from "./session.ts";
import { checkText } from "./text.ts";

type Item = TurnCommit | TransactionalTurn;

/** How a flush is done; what its first attempt has found out changes the next. */
export interface FlushPlan {
  /** Items with their results already: step bodies that have ended the transaction. */
  readonly settled: Map<Item, CommitResult>;
  /** Whether each item has a savepoint of its own: where one has failed after it had been appended. */
  careful: boolean;
}

/** Stores turns, each judged alone, in the transaction that is open. Throws `FlushRepeat` where it is to be done again. */
export function commitTurns(session: Session, items: readonly Item[], plan: FlushPlan): readonly CommitResult[] {
  const results: CommitResult[] = [];
  // Turns of different workflows that follow one another in the list are appended together.
  let together: TurnCommit[] = [];
  const runs = new Set<Run>();
  const flushTogether = (): void => {
    if (together.length > 0) results.push(...commitTogether(session, together, plan));
    together = [];
    runs.clear();
  };

  for (const item of items) {
    const settled = plan.settled.get(item);
    if (settled !== undefined || plan.careful || "execute" in item || runs.has(item.run)) flushTogether();
    if (settled !== undefined) results.push(settled);
    else if ("execute" in item) results.push(commitBody(session, item, plan));
    else if (plan.careful) results.push(commitAlone(session, item));
    else {
      runs.add(item.run);
      together.push(item);
    }
  }
  flushTogether();
  return results;
}

function commitTogether(session: Session, items: readonly TurnCommit[], plan: FlushPlan): CommitResult[] {
  const results: (CommitResult | undefined)[] = Array.from(items, () => undefined);
  const heads = appendTurns(session, items, results);
  try {
    writeRestingRows(session, items, heads, results);
    return items.map((item, place) => results[place] ?? applyRest(session, item, heads.get(item.run)));
  } catch (error) {
    if (!isItemError(error)) throw error;
    // It may have half happened. Savepoints would undo it alone, and cost every flush to spare this one.
    plan.careful = true;
    throw new FlushRepeat();
  }
}

/**
 * The rows of turns that bring nothing else, written together: of all workflows that have ended, and most that are parked. They
 * come before the rest, so that what that wakes finds them let go.
 */
function writeRestingRows(
  session: Session,
  items: readonly TurnCommit[],
  heads: ReadonlyMap<Run, Head>,
  results: (CommitResult | undefined)[],
): void {
  const places: number[] = [];
  const writes: RowToWrite[] = [];
  for (const [place, item] of items.entries()) {
    if (item.row === undefined || results[place] !== undefined || !bringsRowAtMost(item)) continue;
    checkTexts(item);
    places.push(place);
    writes.push(rowToWrite(session, item, item.row, heads.get(item.run), false));
  }
  if (writes.length === 0) return;
  for (const [index, written] of writeRows(session, writes).entries()) {
    const { row, signals } = writes[index] as RowToWrite;
    results[places[index] as number] = applied(row, signals, false, written);
  }
}

/** One turn under a savepoint. */
function commitAlone(session: Session, item: TurnCommit): CommitResult {
  session.run("SAVEPOINT wfe_turn");
  let result: CommitResult;
  try {
    result = appendAndApply(session, item);
  } catch (error) {
    if (!isItemError(error)) throw error;
    session.run("ROLLBACK TO wfe_turn");
    session.forget();
    result = { outcome: "failed", error: error as Error };
  }
  session.run("RELEASE wfe_turn");
  return result;
}

function appendAndApply(session: Session, item: TurnCommit): CommitResult {
  const refused: (CommitResult | undefined)[] = [undefined];
  const heads = appendTurns(session, [item], refused);
  return refused[0] ?? applyRest(session, item, heads.get(item.run));
}

/** Everything in a turn beside its entries. */
function applyRest(session: Session, item: TurnCommit, head: Head | undefined): CommitResult {
  const { run, namespace, row, checkpoint } = item;
  if (isPlain(item)) {
    return { outcome: "applied", rowWritten: false, signals: signalsNow(session, run, head), behind: false };
  }
  checkTexts(item);
  if (checkpoint !== undefined) {
    session.run(
      `INSERT INTO wfe_checkpoints (run, seq, state) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET seq = excluded.seq, state = excluded.state WHERE excluded.seq > seq`,
      run,
      checkpoint.seq,
      checkpoint.stateText,
    );
  }
  if (item.read !== undefined) readDeliveries(session, run, item.read);
  // Endings first: a pointer that waits again in the turn that read its event keeps the new subscription.
  if (item.unsubscribe !== undefined) unsubscribe(session, run, item.unsubscribe);
  let behind = false;
  for (const subscription of item.subscribe ?? []) {
    if (subscribe(session, run, namespace, subscription)) behind = true;
  }
  if (item.create !== undefined) createWorkflows(session, item.create);
  // No limit: what a turn delivers is the engine's own, and the turn cannot be taken back for a full inbox.
  if (item.deliver !== undefined) deliver(session, item.deliver, Number.POSITIVE_INFINITY);

  if (row === undefined) {
    return { outcome: "applied", rowWritten: false, signals: signalsNow(session, run, head), behind };
  }
  const write = rowToWrite(session, item, row, head, behind);
  return applied(row, write.signals, behind, writeRows(session, [write])[0]);
}

function rowToWrite(
  session: Session,
  { run, claim }: TurnCommit,
  row: RowWrite,
  head: Head | undefined,
  behind: boolean,
): RowToWrite {
  return { run, claim, row, signals: signalsNow(session, run, head), behind };
}

/** As they were read, unless something in this transaction has raised them since. */
function signalsNow(session: Session, run: Run, head: Head | undefined): number {
  return (session.woken.has(run) ? undefined : head?.signals) ?? signalsOf(session, run);
}

function applied(row: RowWrite, signals: number, behind: boolean, written: RowWritten | undefined): CommitResult {
  const rowWritten = written?.written === true;
  return {
    outcome: "applied",
    rowWritten,
    signals,
    behind,
    ...(rowWritten && row.release ? { dueAt: written.dueAt } : {}),
  };
}

/** Whether it has nothing but entries. */
function isPlain(item: TurnCommit): boolean {
  return item.row === undefined && bringsRowAtMost(item);
}

function bringsRowAtMost(item: TurnCommit): boolean {
  return (
    item.subscribe === undefined &&
    item.unsubscribe === undefined &&
    item.read === undefined &&
    item.checkpoint === undefined &&
    item.create === undefined &&
    item.deliver === undefined
  );
}

function checkTexts({ row, checkpoint, read }: TurnCommit): void {
  if (checkpoint !== undefined) checkText(checkpoint.stateText, "a checkpoint");
  if (typeof row?.resultText === "string") checkText(row.resultText, "a result");
  if (typeof row?.errorText === "string") checkText(row.errorText, "an error");
  for (const { reason } of read ?? []) if (reason !== null) checkText(reason, "the reason of a refusal");
}

export function signalsOf(session: Session, run: Run): number {
  return session.value<number>("SELECT signals FROM wfe_heads WHERE run = ?", run) ?? 0;
}

/** A step's body and its turn, under a savepoint. */
function commitBody(session: Session, item: TransactionalTurn, plan: FlushPlan): CommitResult {
  const head = session.get<Head>("SELECT seq, last, signals FROM wfe_heads WHERE run = ?", item.run);
  const conflict = judgeSeq(session, item.run, item.seq, head);
  if (conflict !== undefined) return conflict;

  session.run("SAVEPOINT wfe_body");
  const body = runBody(session, item);
  checkConnection(session, item, body, plan);
  let result: CommitResult;
  if ("error" in body) result = { outcome: "body-failed", error: body.error };
  else {
    try {
      result = appendAndApply(session, body.turn);
    } catch (error) {
      if (!isItemError(error)) throw error;
      result = { outcome: "failed", error: error as Error };
    }
  }
  try {
    if (result.outcome !== "applied") {
      session.run("ROLLBACK TO wfe_body");
      session.forget();
    }
    session.run("RELEASE wfe_body");
  } catch {
    // The savepoint is gone, so this is not the transaction that the body was given: it has ended that and begun its own.
    plan.settled.set(item, { outcome: "body-failed", error: endedTransaction() });
    throw new FlushRepeat();
  }
  return result;
}

type Body = { readonly turn: TurnCommit } | { readonly error: unknown };

/** Never throws: what the body throws is its result. */
function runBody(session: Session, item: TransactionalTurn): Body {
  session.lent = true;
  try {
    const turn = item.execute(session.db);
    if (!isPromise(turn)) return { turn };
    // Whatever becomes of it, nobody else listens.
    turn.then(undefined, () => undefined);
    return {
      error: refusal(
        "a transactional step on SQLite must be synchronous, and this one gave a promise: do what waits in a step before it",
      ),
    };
  } catch (error) {
    return { error };
  } finally {
    session.lent = false;
  }
}

function isPromise(value: TurnCommit | Promise<TurnCommit>): value is Promise<TurnCommit> {
  return "then" in value && typeof value.then === "function";
}

/**
 * The body had our connection, and may have ended the transaction that the turns before it in this flush are part of, or left
 * a statement open, which blocks the connection. Then the whole flush is done again without it.
 */
function checkConnection(session: Session, item: TransactionalTurn, body: Body, plan: FlushPlan): void {
  if (!session.db.open) {
    plan.settled.set(item, {
      outcome: "body-failed",
      error: refusal("the step closed the connection: leave that out"),
    });
    throw new FlushRepeat({ replaceConnection: true });
  }
  if (!session.db.inTransaction) {
    // By `OR ROLLBACK`, RAISE(ROLLBACK) or a full disk the statement fails that did it, and says so itself.
    const error = "error" in body ? body.error : endedTransaction();
    plan.settled.set(item, { outcome: "body-failed", error });
    throw new FlushRepeat();
  }
  try {
    session.run("SAVEPOINT wfe_check");
    session.run("RELEASE wfe_check");
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const message = "the step left an iterator of a statement open: read it to its end, or use all()";
    plan.settled.set(item, { outcome: "body-failed", error: refusal(message) });
    throw new FlushRepeat({ replaceConnection: true });
  }
}

function endedTransaction(): StoreError {
  return refusal(
    "the step ended the transaction that it shares with its result: leave COMMIT and ROLLBACK out of it. What it wrote before a COMMIT is stored, its result is not: mend that, then `retryWorkflow` or `skipStep`",
  );
}
