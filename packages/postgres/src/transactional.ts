import type { CommitResult, TransactionalTurn, TurnCommit } from "@wfe/core/providers";
import { StoreError } from "@wfe/core/providers";
import { commitInside, commitTurns, learnDefinitions } from "./commit.ts";
import { isItemError, sqlState } from "./errors.ts";
import { causeOf } from "./failed.ts";
import { runStatement } from "./lane.ts";
import type { Open } from "./postgres.ts";
import { transact } from "./store.ts";
import type { Connection } from "./target.ts";

type Item = TurnCommit | TransactionalTurn;

/** Stores turns; transactional steps each in a transaction of its own, whose body may take its time. */
export async function commitAll(open: Open, items: readonly Item[]): Promise<CommitResult[]> {
  const results: CommitResult[] = [];
  let plain: TurnCommit[] = [];
  const flush = async (): Promise<void> => {
    if (plain.length > 0) results.push(...(await commitTurns(open, plain)));
    plain = [];
  };
  for (const item of items) {
    if (!("execute" in item)) {
      plain.push(item);
      continue;
    }
    await flush();
    results.push(await commitBody(open, item));
  }
  await flush();
  return results;
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
  const conflict = await judge(open, item);
  if (conflict !== undefined) return conflict;
  try {
    return await store.shared.hold((connection) => transact(connection, (inside) => runBody(open, inside, item)));
  } catch (error) {
    if (error instanceof Undo) return error.result;
    throw store.failure(error);
  }
}

/** A body that would be in vain is not begun. */
async function judge({ store }: Open, { run, seq }: TransactionalTurn): Promise<CommitResult | undefined> {
  const head = await store.readJson<{ readonly there: string | null; readonly before: boolean }>(
    `SELECT json_build_object(
      'there', (SELECT turn FROM $s.wfe_turns WHERE run = w.run AND seq = $2::bigint),
      'before', $2::bigint = 0 OR EXISTS (SELECT FROM $s.wfe_turns WHERE run = w.run AND seq = $2::bigint - 1)
    )::text AS json FROM $s.wfe_workflows w WHERE w.run = $1::bigint`,
    [run, seq],
  );
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
