import type { CommitResult, TransactionalTurn, TurnCommit } from "@wfe/core/providers";
import { StoreError } from "@wfe/core/providers";
import { commitInside, commitTurns, learnDefinitions, partlyApplied } from "./commit.ts";
import { isItemError, sqlState } from "./errors.ts";
import { causeOf, Failed } from "./failed.ts";
import { runStatement, within } from "./lane.ts";
import type { Open } from "./postgres.ts";
import { answerMs, jsonOf, transact } from "./store.ts";
import type { Connection } from "./target.ts";

type Item = TurnCommit | TransactionalTurn;

/** Stores turns; transactional steps each in a transaction of its own, whose body may take its time. */
export async function commitAll(open: Open, items: readonly Item[]): Promise<CommitResult[]> {
  const parts = partsOf(items);
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return commitPart(open, only);
  const results: CommitResult[] = [];
  let blocked: unknown;
  for (const part of parts) {
    try {
      results.push(...(await commitPart(open, part)));
    } catch (error) {
      blocked ??= error;
    }
  }
  // The others may be stored by now: sent again, they are found there.
  if (blocked !== undefined) throw partlyApplied(blocked, open);
  return results;
}

/** What is stored together: turns that follow one another, or a step alone. */
type Part = TurnCommit[] | TransactionalTurn;

function partsOf(items: readonly Item[]): Part[] {
  const parts: Part[] = [];
  for (const item of items) {
    const last = parts.at(-1);
    if ("execute" in item) parts.push(item);
    else if (Array.isArray(last)) last.push(item);
    else parts.push([item]);
  }
  return parts;
}

async function commitPart(open: Open, part: Part): Promise<CommitResult[]> {
  return "execute" in part ? [await commitBody(open, part)] : commitTurns(open, part);
}

/** Thrown to undo everything: the item has this result. */
class Undo extends Error {
  readonly result: CommitResult;
  constructor(result: CommitResult) {
    super("the transaction is undone");
    this.result = result;
  }
}

/** What a body throws is its own affair, and never mistaken for a failure of ours. */
async function commitBody(open: Open, item: TransactionalTurn): Promise<CommitResult> {
  const { store } = open;
  try {
    return await store.shared.hold(
      async (connection) =>
        (await judge(open, connection, item)) ?? (await transact(connection, (inside) => runBody(open, inside, item))),
    );
  } catch (error) {
    if (error instanceof Undo) return error.result;
    const failure = store.failure(error);
    // A rule that is asked for at COMMIT, such as a deferred constraint, has not been kept by what the body wrote.
    if (isRefusedCommit(error, failure)) return { outcome: "body-failed", error: error.cause };
    throw failure;
  }
}

function isRefusedCommit(error: unknown, failure: Error): error is Failed {
  if (!(error instanceof Failed) || error.stage !== "committing" || sqlState(error.cause) === undefined) return false;
  return failure instanceof StoreError && failure.outcome === "not-applied" && !failure.transient;
}

/** A body that would be in vain is not begun. */
async function judge(
  { store }: Open,
  connection: Connection,
  { run, seq }: TransactionalTurn,
): Promise<CommitResult | undefined> {
  const asked = runStatement(
    connection,
    "statement",
    store.sql(`SELECT json_build_object(
      'there', (SELECT turn FROM $s.wfe_turns WHERE run = w.run AND seq = $2::bigint),
      'before', $2::bigint = 0 OR EXISTS (SELECT FROM $s.wfe_turns WHERE run = w.run AND seq = $2::bigint - 1)
    )::text AS json FROM $s.wfe_workflows w WHERE w.run = $1::bigint`),
    [run, seq],
  );
  const head = jsonOf<{ readonly there: string | null; readonly before: boolean }>(await within(answerMs, asked));
  if (head === null) return { outcome: "hole" };
  if (head.there !== null) return { outcome: "conflict", turn: head.there };
  return head.before ? undefined : { outcome: "hole" };
}

async function runBody(open: Open, connection: Connection, item: TransactionalTurn): Promise<CommitResult> {
  const mark = open.store.runtime.randomId();
  // Of the transaction alone: where the body has ended it, the mark is gone.
  await runStatement(connection, "statement", beginBody, [mark]);
  let turn: TurnCommit;
  try {
    turn = await item.execute(connection.tx);
  } catch (error) {
    throw new Undo({ outcome: "body-failed", error });
  }
  await learnDefinitions(open, [turn]);
  let result: CommitResult;
  try {
    result = await commitInside(open, connection, turn, mark);
  } catch (error) {
    const cause = causeOf(error);
    const state = sqlState(cause);
    if (state === "WFE02") throw new Undo({ outcome: "body-failed", error: bodyError(endedText) });
    if (state === "25P02") throw new Undo({ outcome: "body-failed", error: bodyError(abortedText) });
    if (isItemError(cause)) throw new Undo({ outcome: "failed", error: open.store.failure(error) });
    throw error;
  }
  if (result.outcome !== "applied") throw new Undo(result);
  return result;
}

/** What a body locks is free again half a minute after its machine has lost power, and not when TCP gives up after two hours. */
const beginBody = `SELECT set_config('wfe.mark', $1, true), set_config('tcp_keepalives_idle', '10', true),
  set_config('tcp_keepalives_interval', '5', true), set_config('tcp_keepalives_count', '4', true)`;

const endedText =
  "the step ended the transaction that it shares with its result: leave COMMIT and ROLLBACK out of it. What it wrote before a COMMIT is stored, its result is not: mend that, then `retryWorkflow` or `skipStep`";
const abortedText =
  "a statement of the step failed, and so did its transaction, though the step went on: let the error out, or put a SAVEPOINT around what may fail";

function bodyError(message: string): StoreError {
  return new StoreError("TRANSACTIONAL_STEP", message, { outcome: "not-applied", transient: false });
}
