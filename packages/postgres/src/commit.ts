import type { CommitResult, Run, TurnCommit } from "@wfe/core/providers";
import { recordFormat, StoreError } from "@wfe/core/providers";
import { arrayOf } from "./arrays.ts";
import { beginsLater, checkWorkflow, type CreatedRows, createItems, definitionOf } from "./create.ts";
import { checkDelivery, deliveryItem } from "./deliveries.ts";
import { isItemError, isLockTimeout } from "./errors.ts";
import { causeOf, Failed } from "./failed.ts";
import { runStatement } from "./lane.ts";
import { committedWithOutbox } from "./outbox.ts";
import { lockMs, splitLockMs } from "./patience.ts";
import type { Open } from "./postgres.ts";
import { checkRow, rowArrays, rowArrayTypes } from "./row-write.ts";
import { jsonOf } from "./store.ts";
import type { Querier, Row } from "./target.ts";
import { checkName, checkText } from "./text.ts";

/** How long the texts of one flush may be in all: a message to the server has less than 1 GB, and quotes take twice their room. */
const mostText = 32 * 1024 * 1024;

/** What `wfe_commit` gives. */
interface Committed {
  readonly now: number;
  /** Of the turns whose workflows are there, in their order. */
  readonly signals: readonly number[] | null;
  readonly refused: readonly (readonly [place: number, turn: string | null, isThere: boolean])[] | null;
  readonly written: readonly Run[] | null;
  /** Of those that were written. */
  readonly due: readonly (number | null)[] | null;
  readonly behind: readonly Run[];
  readonly woken: readonly Run[] | null;
  readonly created: CreatedRows | null;
}

const parameters = [
  "bigint",
  "integer",
  "integer",
  "text",
  "bigint[]",
  "bigint[]",
  "text[]",
  "text[]",
  "text[]",
  ...rowArrayTypes,
  "json",
  "text",
];
const commitCall = `$s.wfe_commit(${parameters.map((type, place) => `$${place + 1}::${type}`).join(", ")})`;
const commit = `SELECT ${commitCall}::text AS json`;
const commitKept: string = committedWithOutbox(commitCall, "$1::bigint");

/** A step that writes no row and creates no child has nothing that an index hears of. */
function callOf({ kept }: Open, turns: readonly TurnCommit[]): string {
  return kept.on && turns.some(({ row, create }) => row !== undefined || create !== undefined) ? commitKept : commit;
}

/** Stores turns, each judged alone. */
export async function commitTurns(open: Open, turns: readonly TurnCommit[]): Promise<CommitResult[]> {
  const results: CommitResult[] = [];
  for (const flush of inFlushes(turns)) {
    const refused = new Map<TurnCommit, CommitResult>();
    const sound = flush.filter((turn) => {
      const error = problemOf(turn);
      if (error !== undefined) refused.set(turn, { outcome: "failed", error });
      return error === undefined;
    });
    let stored: CommitResult[] = [];
    try {
      if (sound.length > 0) stored = await commitFlush(open, sound, lockMs);
    } catch (error) {
      throw results.length > 0 ? partlyApplied(error, open) : error;
    }
    let next = 0;
    for (const turn of flush) results.push(refused.get(turn) ?? (stored[next++] as CommitResult));
  }
  return results;
}

/** Turns of different workflows that follow one another in the list, and not too much in all; mostly all of it. */
function inFlushes(turns: readonly TurnCommit[]): TurnCommit[][] {
  const flushes: TurnCommit[][] = [];
  let runs = new Set<Run>();
  let length = 0;
  for (const turn of turns) {
    const flush = flushes.at(-1);
    length += lengthOf(turn);
    if (flush === undefined || runs.has(turn.run) || length > mostText) {
      flushes.push([turn]);
      runs = new Set([turn.run]);
      length = lengthOf(turn);
    } else {
      flush.push(turn);
      runs.add(turn.run);
    }
  }
  return flushes;
}

/** Of what may be long. */
function lengthOf({ entriesText, checkpoint, row, create, deliver }: TurnCommit): number {
  let length = entriesText.length + (checkpoint?.stateText.length ?? 0);
  length += (row?.resultText?.length ?? 0) + (row?.errorText?.length ?? 0);
  for (const { startText } of create ?? []) length += startText.length;
  for (const { bodyText } of deliver ?? []) length += bodyText.length;
  return length;
}

/** One round trip where nothing is wrong. What one turn has done wrong is found out by asking for each alone. */
async function commitFlush(open: Open, turns: readonly TurnCommit[], patienceMs: number): Promise<CommitResult[]> {
  await learnDefinitions(open, turns);
  const { store } = open;
  let rows: readonly Row[];
  try {
    rows = await store.writeOrFail(store.committer, callOf(open, turns), valuesOf(open, turns, patienceMs, null));
  } catch (error) {
    const cause = causeOf(error);
    if (isItemError(cause)) {
      if (turns.length === 1) return [{ outcome: "failed", error: store.failure(error) }];
      return commitHalves(open, turns, patienceMs);
    }
    if (isLockTimeout(cause) && turns.length > 1) return commitHalves(open, turns, splitLockMs);
    throw store.failure(error);
  }
  return take(open, turns, jsonOf<Committed>(rows));
}

/** A bad one is found in as many steps as halving takes, and the rest goes in large parts. */
async function commitHalves(open: Open, turns: readonly TurnCommit[], patienceMs: number): Promise<CommitResult[]> {
  const half = Math.ceil(turns.length / 2);
  const results: CommitResult[] = [];
  let blocked: unknown;
  for (const part of [turns.slice(0, half), turns.slice(half)]) {
    try {
      results.push(...(await commitFlush(open, part, patienceMs)));
    } catch (error) {
      blocked = error;
    }
  }
  // The other half may be stored by now: sent again, its turns are found there.
  if (blocked !== undefined) throw partlyApplied(blocked, open);
  return results;
}

/** What stopped a part of what was asked, when another part may have been stored. */
export function partlyApplied(error: unknown, { store }: Open): Error {
  if (!(error instanceof StoreError)) return store.failure(new Failed(error, "partly"));
  const { code, message, transient, cause = error } = error;
  return new StoreError(code, message, { outcome: "unknown", transient, cause });
}

/** Appends the turn of a transactional step, last in its transaction, which has this mark. */
export async function commitInside(
  open: Open,
  connection: Querier,
  turn: TurnCommit,
  mark: string,
): Promise<CommitResult> {
  const error = problemOf(turn);
  if (error !== undefined) return { outcome: "failed", error };
  const sql = open.store.sql(callOf(open, [turn]));
  const rows = await runStatement(connection, "statement", sql, valuesOf(open, [turn], lockMs, mark));
  return take(open, [turn], jsonOf<Committed>(rows))[0] ?? { outcome: "hole" };
}

/** The dictionary has transactions of its own, for which no connection of the pool is needed. */
export async function learnDefinitions(open: Open, turns: readonly TurnCommit[]): Promise<void> {
  for (const { create } of turns) {
    if (create !== undefined) await open.definitions.learn(open.store, create.map(definitionOf));
  }
}

function valuesOf(open: Open, turns: readonly TurnCommit[], patienceMs: number, mark: string | null): unknown[] {
  const rows = turns.flatMap(({ run, claim, row }) => (row === undefined ? [] : [{ run, claim, row }]));
  return [
    open.store.now,
    patienceMs,
    recordFormat,
    mark,
    arrayOf(turns.map(({ run }) => run)),
    arrayOf(turns.map(({ seq }) => seq)),
    arrayOf(turns.map(({ turn }) => turn)),
    arrayOf(turns.map(({ host }) => host)),
    arrayOf(turns.map(({ entriesText }) => entriesText)),
    ...rowArrays(rows),
    restOf(open, turns),
    open.store.storeId,
  ];
}

/** What few turns have, as JSON; null where none has any. */
function restOf(open: Open, turns: readonly TurnCommit[]): string | null {
  const rest: Record<string, object[]> = {};
  const add = (part: string, items: readonly object[]): void => {
    if (items.length > 0) (rest[part] ??= []).push(...items);
  };
  for (const { run, namespace, checkpoint, read, unsubscribe, subscribe, create, deliver } of turns) {
    if (checkpoint !== undefined) add("checkpoints", [{ run, seq: checkpoint.seq, state: checkpoint.stateText }]);
    if (read !== undefined)
      add(
        "reads",
        read.map((outcome) => ({ run, ...outcome })),
      );
    if (unsubscribe !== undefined)
      add(
        "unsubscribe",
        unsubscribe.map((pointer) => ({ run, pointer })),
      );
    if (subscribe !== undefined)
      add(
        "subscribe",
        subscribe.map((subscription) => ({ run, namespace, ...subscription })),
      );
    if (create !== undefined) {
      add(
        "create",
        createItems(create, open.definitions).items.map((item) => ({ by: run, ...item })),
      );
    }
    if (deliver !== undefined)
      add(
        "deliver",
        deliver.map((delivery, at) => ({ by: run, ...deliveryItem(delivery, at) })),
      );
  }
  return Object.keys(rest).length === 0 ? null : JSON.stringify(rest);
}

/** Reads the answer, and tells whom it has woken. */
function take(open: Open, turns: readonly TurnCommit[], committed: Committed | null): CommitResult[] {
  if (committed === null) throw new TypeError("the store gave no answer");
  const { now, signals, created } = committed;
  const refused = new Map(committed.refused?.map(([place, turn, isThere]) => [place, { turn, isThere }]));
  const behindRuns = new Set(committed.behind);
  const dueAt = new Map(committed.written?.map((run, place) => [run, committed.due?.[place] ?? null]));
  const woken = [...(committed.woken ?? []), ...(created?.fresh ?? [])];
  let changed = created !== null && turns.some(({ create }) => create !== undefined && beginsLater(create, created));
  let next = 0;
  const answers = turns.map((turn, place): CommitResult => {
    const refusal = refused.get(place + 1);
    // A workflow that is not there has no signals.
    const seen = refusal?.isThere === false ? 0 : (signals?.[next++] ?? 0);
    if (refusal !== undefined) {
      return refusal.turn === null ? { outcome: "hole" } : { outcome: "conflict", turn: refusal.turn };
    }
    const rowWritten = turn.row !== undefined && dueAt.has(turn.run);
    const applied = { outcome: "applied", rowWritten, signals: seen, behind: behindRuns.has(turn.run) } as const;
    if (!rowWritten || turn.row?.release !== true) return applied;
    const due = dueAt.get(turn.run) ?? null;
    if (due !== null && due <= now) woken.push(turn.run);
    else if (due !== null || turn.row.completedAt !== null) changed = true;
    return { ...applied, dueAt: due };
  });
  open.hints.committed(woken, changed);
  return answers;
}

/** What PostgreSQL could not hold, found before it is asked: so that no neighbour has to be sent again. */
function problemOf(turn: TurnCommit): Error | undefined {
  try {
    checkText(turn.turn, "a turn's id");
    checkText(turn.host, "a host's name");
    checkText(turn.entriesText, "a turn");
    if (turn.checkpoint !== undefined) checkText(turn.checkpoint.stateText, "a checkpoint");
    if (turn.row !== undefined) checkRow(turn.row);
    for (const { reason } of turn.read ?? []) if (reason !== null) checkText(reason, "the reason of a refusal");
    for (const { name, key } of turn.subscribe ?? []) {
      checkName(name, "an event's name");
      checkName(key, "an event's key");
    }
    for (const workflow of turn.create ?? []) checkWorkflow(workflow);
    for (const delivery of turn.deliver ?? []) checkDelivery(delivery);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
