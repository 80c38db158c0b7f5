import type { PersistenceProvider, Run, SearchOutbox, StoredTurn } from "@wfe/core/providers";
import { recordFormat } from "@wfe/core/providers";
import { arrayOf, definitionArrays } from "./arrays.ts";
import { createIn, publishIn } from "./callers.ts";
import { claim, type LaneCursor } from "./claim.ts";
import {
  beginsLater,
  checkWorkflow,
  createdOf,
  type CreatedRows,
  createItems,
  definitionOf,
  heldIds,
} from "./create.ts";
import { deliver, deliveryOutcomes } from "./deliveries.ts";
import { advanceEvents, nextDueEvent, publish } from "./events.ts";
import type { Hints } from "./hints.ts";
import { createdWithOutbox, writtenWithOutbox } from "./outbox.ts";
import { bindLockProvider } from "./lock-binding.ts";
import { postgresLogs } from "./logs.ts";
import type { Open } from "./postgres.ts";
import { emptyTrash, purgeEvents, removeWorkflows } from "./purge.ts";
import { loadWorkflows, pull } from "./reads.ts";
import { checkRow, rowArrays, rowArrayTypes } from "./row-write.ts";
import { rowJoins, rowOf, selectRow, type StoredRow } from "./rows.ts";
import { commitAll } from "./transactional.ts";

const writeRowsCall = `$s.wfe_write_rows($1::bigint, $2::integer, $3::integer, ${[...rowArrayTypes, "text"]
  .map((type, place) => `$${place + 4}::${type}`)
  .join(", ")})`;
const writeRows = `SELECT ${writeRowsCall}::text AS json`;
const writeRowsKept: string = writtenWithOutbox(writeRowsCall, "$1::bigint");
const createCall = "$s.wfe_create_alone($1::bigint, $2::integer, $3::json, $4)";
const create = `SELECT ${createCall}::text AS json`;
const createKept: string = createdWithOutbox(createCall, "$1::bigint");

type WrittenRow = readonly [run: Run, claim: number, dueAt: number | null, isDue: boolean | null];

/** `opened` gives what is open, or throws. */
export function postgresPersistence(
  opened: () => Open,
  hints: Hints,
  outbox: SearchOutbox,
  commitsAtOnce: number,
  transactionsAtOnce: number,
): PersistenceProvider {
  const lanes: LaneCursor = { from: "" };
  return {
    transactionalSteps: true,
    commitsAtOnce,
    transactionsAtOnce,
    outbox,
    logs: postgresLogs(opened),

    create: async (workflows) => {
      if (workflows.length === 0) return [];
      for (const workflow of workflows) checkWorkflow(workflow);
      const { store, definitions, kept } = opened();
      await definitions.learn(store, workflows.map(definitionOf));
      const items = createItems(workflows, definitions);
      const created = await store
        .writeJson<CreatedRows>(store.shared, kept.on ? createKept : create, [
          store.now,
          store.patience.ms,
          JSON.stringify(items.items),
          store.storeId,
        ])
        .catch((error: unknown) => {
          throw heldIds(error, workflows, store.target.name);
        });
      if (created === null) throw new TypeError("the store gave no answer");
      hints.committed(created.fresh, beginsLater(workflows, created));
      return createdOf(workflows, items, created);
    },

    createIn: async (tx, workflows) => createIn(opened(), tx, workflows),

    find: async (namespace, ids) => {
      if (ids.length === 0) return [];
      const rows = await findRows(opened(), "w.namespace = $1 AND w.id = ANY ($2::text[])", [namespace, arrayOf(ids)]);
      const found = new Map(rows.map((row) => [row.id, rowOf(row)]));
      return ids.map((id) => found.get(id));
    },

    claim: async (request) => {
      hints.sawClaim(request);
      return claim(opened(), request, lanes);
    },

    commit: async (turns) => (turns.length === 0 ? [] : commitAll(opened(), turns)),

    writeRows: async (writes) => {
      if (writes.length === 0) return [];
      for (const { row } of writes) checkRow(row);
      const { store, kept } = opened();
      // Of one that is there twice the last counts; one UPDATE would take either.
      const last = new Map(writes.map((write) => [`${write.run}:${write.claim}`, write]));
      const written = await store.writeJson<WrittenRow[]>(store.committer, kept.on ? writeRowsKept : writeRows, [
        store.now,
        store.patience.ms,
        recordFormat,
        ...rowArrays([...last.values()]),
        store.storeId,
      ]);
      const dueRuns: Run[] = [];
      let changed = false;
      const keys = new Set<string>();
      for (const [run, claimed, dueAt, isDue] of written ?? []) {
        const key = `${run}:${claimed}`;
        keys.add(key);
        const row = last.get(key)?.row;
        if (row?.release !== true) continue;
        if (isDue === true) dueRuns.push(run);
        else changed ||= dueAt !== null || row.completedAt !== null;
      }
      hints.committed(dueRuns, changed);
      return writes.map(({ run, claim: claimed }) => keys.has(`${run}:${claimed}`));
    },

    load: async (runs) => loadWorkflows(opened(), runs),

    pull: async (requests) => pull(opened(), requests),

    turns: async (run, { from, to, limit }) => {
      return opened().store.readJsonRows<StoredTurn>(
        `SELECT row_to_json(t)::text AS json FROM (
          SELECT seq, turn, at, host, entries AS "entriesText" FROM $s.wfe_turns
          WHERE run = $1::bigint AND seq >= $2::bigint AND seq <= $3::bigint ORDER BY seq LIMIT $4::bigint
        ) t`,
        [run, from, to ?? Number.MAX_SAFE_INTEGER, limit],
      );
    },

    deliver: async (deliveries, inboxLimit) =>
      deliveries.length === 0 ? [] : deliver(opened(), deliveries, inboxLimit),

    deliveryOutcomes: async (requests) => (requests.length === 0 ? [] : deliveryOutcomes(opened(), requests)),

    publish: async (events) => (events.length === 0 ? [] : publish(opened(), events)),

    publishIn: async (tx, events) => publishIn(opened(), tx, events),

    advanceEvents: async (limit) => advanceEvents(opened(), limit),

    nextDueAt: async (definitions) => {
      const open = opened();
      const [event, [row]] = await Promise.all([
        nextDueEvent(open),
        open.store.read(
          `SELECT min(first.due_at)::text AS due FROM unnest($1::text[], $2::bigint[], $3::text[]) AS i (id, version, hash)
          JOIN $s.wfe_definitions d ON d.id = i.id AND d.version = i.version AND d.hash = coalesce(i.hash, d.hash)
            AND d.format <= $4::integer
          CROSS JOIN LATERAL (
            SELECT due_at FROM $s.wfe_workflows w WHERE w.definition = d.definition AND w.owner IS NULL AND w.due_at IS NOT NULL
            ORDER BY w.due_at LIMIT 1
          ) first`,
          [...definitionArrays(definitions), recordFormat],
        ),
      ]);
      const due = row?.["due"];
      const times = [event, typeof due === "string" ? Number(due) : null].filter((time) => time !== null);
      return times.length === 0 ? null : Math.min(...times);
    },

    owned: async (lease) => {
      const owned = await opened().store.readJson<
        { readonly run: Run; readonly claim: number; readonly signals: number }[]
      >(
        `SELECT json_agg(json_build_object('run', run, 'claim', claim, 'signals', signals))::text AS json
        FROM $s.wfe_workflows WHERE owner = $1`,
        [lease],
      );
      return owned ?? [];
    },

    // A look-up for each owner, however many workflows it has.
    owners: async () => {
      const owners = await opened().store.readJson<string[]>(
        `WITH RECURSIVE owners AS (
          (SELECT owner FROM $s.wfe_workflows WHERE owner IS NOT NULL ORDER BY owner LIMIT 1)
          UNION ALL
          SELECT (SELECT w.owner FROM $s.wfe_workflows w WHERE w.owner > o.owner ORDER BY w.owner LIMIT 1)
          FROM owners o WHERE o.owner IS NOT NULL
        ) SELECT json_agg(owner)::text AS json FROM owners WHERE owner IS NOT NULL`,
      );
      return owners ?? [];
    },

    orphan: async (leases, limit) => {
      if (leases.length === 0 || limit <= 0) return 0;
      const { store } = opened();
      const freed = await store.writeJson<Run[]>(
        store.shared,
        // Chosen once, not anew for each row that a plan may ask about. What its owner is still writing, frozen perhaps, is freed
        // by a later call: nothing else waits for that.
        `WITH chosen AS MATERIALIZED (
          SELECT run FROM $s.wfe_workflows WHERE owner = ANY ($2::text[]) ORDER BY run LIMIT $3::bigint FOR NO KEY UPDATE SKIP LOCKED
        ), freed AS (
          UPDATE $s.wfe_workflows SET claim = claim + 1, orphaned = claim + 1, owner = NULL, due_at = $s.wfe_now($1::bigint)
          WHERE run IN (SELECT run FROM chosen) RETURNING run
        ) SELECT json_agg(run)::text AS json FROM freed`,
        [store.now, arrayOf(leases), limit],
      );
      hints.committed(freed ?? [], false);
      return freed?.length ?? 0;
    },

    // Loaded by the first call: what builds the SQL takes long to load, and few processes list.
    list: async (filter, page) => {
      const { listWorkflows } = await import("./lists.ts");
      return listWorkflows(opened(), filter, page);
    },

    count: async (filter) => {
      const { countWorkflows } = await import("./lists.ts");
      return countWorkflows(opened(), filter);
    },

    purge: async ({ workflowsBefore, eventsBefore, limit }) => {
      const open = opened();
      const workflows = workflowsBefore === undefined ? 0 : await removeWorkflows(open, workflowsBefore, limit);
      const events = eventsBefore === undefined ? 0 : await purgeEvents(open, eventsBefore, limit);
      // What was left by a purge that was killed goes too.
      if (workflowsBefore !== undefined) while (await emptyTrash(open)) await open.store.clock.yield();
      return { workflows, events };
    },

    bindLockProvider: async (name, lease) => bindLockProvider(opened(), name, lease),

    now: async () => {
      const { store } = opened();
      return (await store.readJson<number>("SELECT $s.wfe_now($1::bigint)::text AS json", [store.now])) ?? 0;
    },

    hints: (listener) => hints.store.add(listener),
  };
}

export async function findRows(
  { store }: Open,
  where: string,
  values: readonly unknown[],
): Promise<readonly StoredRow[]> {
  return store.readJsonRows<StoredRow>(
    `SELECT row_to_json(r)::text AS json FROM (SELECT ${selectRow} FROM $s.wfe_workflows w ${rowJoins} WHERE ${where}) r`,
    values,
  );
}
