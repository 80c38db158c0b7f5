import type {
  CommitResult,
  PersistenceProvider,
  SearchOutbox,
  TransactionalTurn,
  TurnCommit,
} from "@wfe/core/providers";
import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import { claimWorkflows, type LaneCursor, mayClaim, nextDueWorkflow } from "./claim.ts";
import { commitTurns, type FlushPlan, signalsOf } from "./commit.ts";
import { isDatabase, isSameFile } from "./connection.ts";
import { createWorkflows } from "./create.ts";
import { deliver, deliveryOutcome, unreadDeliveries } from "./deliveries.ts";
import { FlushRepeat, isBusy, storeError } from "./errors.ts";
import { advanceEvents, isEventDue, nextDueEvent, publishEvents, readStream } from "./events.ts";
import type { Hints } from "./hints.ts";
import { bindLockProvider } from "./lock-binding.ts";
import { sqliteLogs } from "./logs.ts";
import { turnsBackTo, turnsBetween } from "./journal.ts";
import { emptyTrash, purgeEvents, removeWorkflows } from "./purge.ts";
import { writeRows } from "./row-write.ts";
import { findRows, readRows } from "./rows.ts";
import { jsonOf, Session } from "./session.ts";
import type { OpenStore } from "./sqlite.ts";

/** `opened` gives the open store, or throws. */
export function sqlitePersistence(opened: () => OpenStore, hints: Hints, outbox: SearchOutbox): PersistenceProvider {
  const lanes: LaneCursor = new Map();
  return {
    transactionalSteps: true,
    logs: sqliteLogs(opened),
    outbox,

    create: async (workflows) => {
      if (workflows.length === 0) return [];
      return opened().transactions.write((session) => createWorkflows(session, workflows));
    },

    // Asynchronous functions, which do all they do before they first wait: it is done when the call returns.
    createIn: async (tx, workflows) => inCallers(tx, opened(), hints, (session) => createWorkflows(session, workflows)),

    find: async (namespace, ids) => {
      const { transactions } = opened();
      const find = (session: Session): ReturnType<typeof findRows> => findRows(session, namespace, ids);
      return ids.length === 1 ? transactions.readOne(find) : transactions.read(find);
    },

    claim: async (request) => {
      const { transactions } = opened();
      // Most claims of an idle host find nothing, and need not take the write lock for it.
      if (!(await transactions.readOne((session) => mayClaim(session, request)))) return [];
      return transactions.write((session) => claimWorkflows(session, request, lanes));
    },

    commit: async (turns) => (turns.length === 0 ? [] : commit(opened(), turns)),

    writeRows: async (writes) => {
      if (writes.length === 0) return [];
      const keyOf = ({ run, claim }: { readonly run: number; readonly claim: number }): string => `${run}:${claim}`;
      const last = new Map(writes.map((write) => [keyOf(write), write]));
      return opened().transactions.write((session) => {
        const each = [...last.values()];
        const results = writeRows(
          session,
          each.map((write) => ({ ...write, signals: signalsOf(session, write.run), behind: false })),
        );
        const written = new Map(each.map((write, place) => [keyOf(write), results[place]?.written === true]));
        return writes.map((write) => written.get(keyOf(write)) === true);
      });
    },

    load: async (runs) =>
      opened().transactions.read((session) => {
        const rows = readRows(session, runs);
        const checkpoint = "SELECT seq, state AS stateText FROM wfe_checkpoints WHERE run = ?";
        return runs.map((run) => {
          const read = rows.get(run);
          if (read === undefined) return undefined;
          const newest = session.get<{ readonly seq: number; readonly stateText: string }>(checkpoint, run) ?? null;
          const turns = turnsBackTo(session, run, read.last, (newest?.seq ?? -1) + 1);
          return { row: read.row, checkpoint: newest, turns };
        });
      }),

    pull: async (requests) =>
      opened().transactions.read((session) =>
        requests.map(({ run, namespace, streams }) => {
          const head = session.get<{ readonly signals: number; readonly unread: number }>(
            "SELECT signals, unread FROM wfe_heads WHERE run = ?",
            run,
          );
          return {
            signals: head?.signals ?? 0,
            deliveries: head === undefined || head.unread === 0 ? [] : unreadDeliveries(session, run),
            events: streams.map((stream) => readStream(session, namespace, stream)),
          };
        }),
      ),

    turns: async (run, { from, to, limit }) => {
      const last = Math.min(to ?? Number.POSITIVE_INFINITY, from + limit - 1);
      return opened().transactions.read((session) => turnsBetween(session, run, Math.max(0, from), last));
    },

    deliver: async (deliveries, inboxLimit) => {
      if (deliveries.length === 0) return [];
      return opened().transactions.write((session) => deliver(session, deliveries, inboxLimit));
    },

    deliveryOutcomes: async (requests) =>
      opened().transactions.read((session) => requests.map(({ run, number }) => deliveryOutcome(session, run, number))),

    publish: async (events) => {
      if (events.length === 0) return [];
      return opened().transactions.write((session) => publishEvents(session, events));
    },

    publishIn: async (tx, events) => inCallers(tx, opened(), hints, (session) => publishEvents(session, events)),

    advanceEvents: async (limit) => {
      const { transactions } = opened();
      if (!(await transactions.readOne(isEventDue))) return false;
      return transactions.write((session) => advanceEvents(session, limit));
    },

    nextDueAt: async (definitions) =>
      opened().transactions.read((session) => {
        const times = [nextDueWorkflow(session, definitions), nextDueEvent(session)].filter((time) => time !== null);
        return times.length === 0 ? null : Math.min(...times);
      }),

    owned: async (lease) =>
      opened().transactions.readOne((session) =>
        session.all(
          "SELECT w.run, w.claim, h.signals FROM wfe_workflows w JOIN wfe_heads h ON h.run = w.run WHERE w.owner = ?",
          lease,
        ),
      ),

    owners: async () =>
      opened().transactions.read((session) => {
        const owners: string[] = [];
        const next = "SELECT min(owner) FROM wfe_workflows WHERE owner IS NOT NULL AND owner > ?";
        for (let owner = session.value<string | null>(next, ""); typeof owner === "string";) {
          owners.push(owner);
          owner = session.value<string | null>(next, owner);
        }
        return owners;
      }),

    orphan: async (leases, limit) => {
      if (leases.length === 0 || limit <= 0) return 0;
      return opened().transactions.write((session) => {
        const owned = "SELECT run FROM wfe_workflows WHERE owner IN (SELECT value FROM json_each(?)) LIMIT ?";
        const runs = session.values<number>(owned, JSON.stringify(leases), limit);
        session.run(
          `UPDATE wfe_workflows SET claim = claim + 1, owner = NULL, orphaned = 1, due_at = ?
           FROM json_each(?) j WHERE wfe_workflows.run = j.value`,
          session.now(),
          jsonOf(runs),
        );
        for (const run of runs) session.woken.add(run);
        return runs.length;
      });
    },

    // Loaded by the first call: what builds the SQL takes ten times as long to load as all the rest, and few processes list.
    list: async (filter, page) => {
      const { listWorkflows } = await import("./lists.ts");
      return opened().transactions.read((session) => listWorkflows(session, filter, page));
    },

    count: async (filter) => {
      const { countWorkflows } = await import("./lists.ts");
      return opened().transactions.read((session) => countWorkflows(session, filter));
    },

    purge: async ({ workflowsBefore, eventsBefore, limit }) => {
      const { transactions, clock } = opened();
      const removed = await transactions.write((session) => ({
        workflows: workflowsBefore === undefined ? 0 : removeWorkflows(session, workflowsBefore, limit),
        events: eventsBefore === undefined ? 0 : purgeEvents(session, eventsBefore, limit),
      }));
      // What was left by a purge that was killed goes too.
      if (workflowsBefore !== undefined) while (await transactions.write(emptyTrash)) await clock.yield();
      return removed;
    },

    bindLockProvider: async (name, lease) =>
      opened().transactions.write((session) => bindLockProvider(session, name, lease)),

    now: async () => opened().now(),

    hints: (listener) => hints.store.add(listener),
  };
}

/** Repeats a flush that a step's body has spoilt, without that body. */
async function commit(
  store: OpenStore,
  turns: readonly (TurnCommit | TransactionalTurn)[],
): Promise<readonly CommitResult[]> {
  const plan: FlushPlan = { settled: new Map(), careful: false };
  for (;;) {
    try {
      return await store.transactions.write((session) => commitTurns(session, turns, plan));
    } catch (error) {
      if (!(error instanceof FlushRepeat)) throw error;
    }
  }
}

/** Work on the application's connection, in the transaction that it has open: all of it, or nothing where it throws. */
function inCallers<T>(tx: unknown, store: OpenStore, hints: Hints, work: (session: Session) => T): T {
  const session = callersSession(tx, store);
  const isOurs = store.transactions.inside && session === store.transactions.session;
  session.run("SAVEPOINT wfe_joined");
  try {
    const result = work(session);
    if (!isOurs) store.finish(session);
    session.run("RELEASE wfe_joined");
    return result;
  } catch (error) {
    if (session.db.inTransaction) session.db.exec("ROLLBACK TO wfe_joined; RELEASE wfe_joined");
    session.forget();
    throw isBusy(error) ? lockIsTaken(error, store) : storeError(error, "statement", store.target.name);
  } finally {
    // In a step's body it is our transaction, and the flush tells what was woken. Another's comes and goes without us: nobody
    // says when it is committed, which other connections see by themselves, or that it has been undone.
    if (!isOurs) {
      session.forget();
      session.takeHints();
      if (session === store.transactions.session) hints.commitsUnseen();
    }
  }
}

function callersSession(tx: unknown, { transactions, target, callers, now }: OpenStore): Session {
  if (!isDatabase(tx)) {
    throw new InvalidOptionError(
      "`tx` must be a Database of better-sqlite3: pass the connection that the transaction is open on",
    );
  }
  if (!tx.inTransaction) {
    throw new InvalidOptionError(
      "`tx` is not in a transaction: call this between its BEGIN and its COMMIT. In `db.transaction(fn)` nothing can be awaited, and `fn` must not return a promise: keep the one that this call gives, and await it after the transaction",
    );
  }
  if (tx === transactions.session.db) return transactions.session;
  if (target.file === undefined || tx.memory || !isSameFile(tx.name, target.file)) {
    throw new InvalidOptionError(
      `\`tx\` is a transaction on ${tx.name}, and the store is ${target.name}: use one database`,
    );
  }
  const known = callers.get(tx);
  const session = known ?? new Session(tx, now);
  if (known === undefined) callers.set(tx, session);
  return session;
}

function lockIsTaken(cause: unknown, { target }: OpenStore): StoreError {
  return new StoreError(
    "STORE_BUSY",
    `${target.name}: the transaction could not get the write lock: begin it with BEGIN IMMEDIATE, and repeat it`,
    { outcome: "not-applied", transient: true, cause },
  );
}
