import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import type { HistoryItem, WorkflowHost } from "@wfe/core";
import type { Attempt, Kind } from "./mix.ts";
import type { CrashStore } from "./stores/crash-store.ts";

/** A workflow whose start was acknowledged. */
export interface Acknowledged {
  readonly id: string;
  readonly kind: Kind;
  readonly data: Record<string, any>;
}

/** What was found when everything had ended. */
export interface Audit {
  readonly workflows: number;
  readonly turns: number;
  readonly events: number;
  /** Bodies that began, and how many of them for an execution that had begun before. */
  readonly attempts: number;
  readonly repeated: number;
  /** How often a workflow was taken over from a process that had died. */
  readonly takenOver: number;
  readonly effects: number;
  /** Acknowledged, and not there or not ended as it should. */
  readonly lost: readonly string[];
  /** Recorded or done twice. */
  readonly doubled: readonly string[];
  /** Not ended. */
  readonly stuck: readonly string[];
  /** Whatever else is wrong with what is stored. */
  readonly damaged: readonly string[];
}

const final = new Set(["completed", "failed", "terminated"]);
const ends = new Set(["step-completed", "step-failed", "step-cancelled", "step-skipped"]);

/** Compares everything that is stored with what was acknowledged. Every process but `host`'s has ended. */
export async function auditOf(
  store: CrashStore,
  host: WorkflowHost,
  acknowledged: readonly Acknowledged[],
): Promise<Audit> {
  const lost: string[] = [];
  const doubled: string[] = [];
  const stuck: string[] = [];
  const damaged: string[] = [];

  const expected = new Map(acknowledged.map((each) => [each.id, each]));
  const rows = await store.query<{ id: string; status: string; waiting: string | null }>(
    "SELECT id, status, waiting_for AS waiting FROM wfe_workflows",
  );
  const effects = Map.groupBy(
    await store.query<{ workflow: string; label: string; key: string }>(
      "SELECT workflow, label, key FROM effects ORDER BY place",
    ),
    ({ workflow }) => workflow,
  );
  let takenOver = 0;
  let turns = 0;

  const stored = new Set(rows.map(({ id }) => id));
  for (const { id } of acknowledged) if (!stored.has(id)) lost.push(`${id}: is not there`);
  for (const { id, status, waiting } of rows) {
    if (!final.has(status)) stuck.push(`${id}: ${status} ${waiting ?? ""}`);
    const history = await wholeHistory(host, id);
    takenOver += history.filter(({ kind }) => kind === "taken-over").length;
    doubled.push(...doubledIn(id, history));
    const seqs = new Set(history.map(({ seq }) => seq));
    turns += seqs.size;
    if (seqs.size !== 1 + Math.max(...seqs) || !seqs.has(0)) damaged.push(`${id}: its journal has a gap`);

    const start = expected.get(id);
    if (start === undefined) continue;
    const details = await host.getWorkflow(id);
    if (details?.status !== "completed") {
      lost.push(`${id}: ${details?.status} ${details?.error?.message ?? ""}`);
      continue;
    }
    const data = plain(details.data);
    const wanted = { ...start.data, ...start.kind.result(id, start.data) };
    if (!isDeepStrictEqual(data, wanted)) lost.push(`${id}: ${JSON.stringify(data)}, not ${JSON.stringify(wanted)}`);

    const done = (effects.get(id) ?? []).map(({ label }) => label);
    const toDo = [...start.kind.effects(id, start.data)];
    const asExpected =
      start.kind.anyOrder === true
        ? isDeepStrictEqual(done.toSorted(), toDo.toSorted())
        : isDeepStrictEqual(done, toDo);
    if (!asExpected) doubled.push(`${id}: has done ${JSON.stringify(done)}, not ${JSON.stringify(toDo)}`);
  }

  const attempts = readAttempts(store.path("attempts.log"));
  const keys = keysOf(attempts);
  // Without their notes nothing is shown of keys and repetitions.
  if (acknowledged.length > 0 && attempts.length === 0) damaged.push("no body has noted that it began");
  doubled.push(...keys.problems);
  damaged.push(...(await store.damage()), ...(await leftOvers(store)));
  return {
    workflows: rows.length,
    turns,
    events: await count(store, "SELECT count(*) AS n FROM wfe_events"),
    attempts: attempts.length,
    repeated: attempts.length - keys.executions,
    takenOver,
    effects: [...effects.values()].flat().length,
    lost,
    doubled,
    stuck,
    damaged,
  };
}

/** All of a workflow's history. */
export async function wholeHistory(host: WorkflowHost, id: string): Promise<HistoryItem[]> {
  const items: HistoryItem[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await host.history(id, { limit: 1000, ...(cursor === undefined ? {} : { cursor }) });
    items.push(...page.items);
    if (page.cursor === undefined) return items;
    ({ cursor } = page);
  }
}

/** Executions that ended twice, and events that one line of control consumed twice or out of order. */
function doubledIn(id: string, history: readonly HistoryItem[]): string[] {
  const problems: string[] = [];
  const ended = history.filter(({ kind, executionId }) => ends.has(kind) && executionId !== undefined);
  for (const [executionId, items] of Map.groupBy(ended, (item) => item.executionId)) {
    if (items.length > 1) {
      problems.push(`${id}: ${executionId} ended ${items.length} times: ${items.map(({ kind }) => kind).join(", ")}`);
    }
  }
  const numbers = history.filter(({ kind }) => kind === "event-consumed").map(({ event }) => event?.number ?? 0);
  if (numbers.some((number, index) => number !== index + 1)) {
    problems.push(`${id}: consumed the events ${numbers.join(", ")}`);
  }
  return problems;
}

/** Every attempt of one execution has the same key, and no other execution has it. */
function keysOf(attempts: readonly Attempt[]): { readonly executions: number; readonly problems: string[] } {
  const problems: string[] = [];
  const byExecution = Map.groupBy(attempts, ({ workflow, execution }) => `${workflow} ${execution}`);
  for (const [execution, of] of byExecution) {
    const keys = new Set(of.map(({ key }) => key));
    if (keys.size > 1) problems.push(`${execution}: was attempted under ${keys.size} keys`);
  }
  for (const [key, of] of Map.groupBy(attempts, ({ key }) => key)) {
    const executions = new Set(of.map(({ workflow, execution }) => `${workflow} ${execution}`));
    if (executions.size > 1) problems.push(`${key}: is the key of ${[...executions].join(" and ")}`);
  }
  return { executions: byExecution.size, problems };
}

function readAttempts(file: string): Attempt[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Attempt);
}

/** What no kill may leave behind. */
async function leftOvers(store: CrashStore): Promise<string[]> {
  const problems: string[] = [];
  const none = {
    "is owned": "SELECT run FROM wfe_workflows WHERE owner IS NOT NULL",
    "has ended and is due": "SELECT run FROM wfe_workflows WHERE due_at IS NOT NULL AND ended = 1",
    "has a subscription": "SELECT run FROM wfe_subscriptions",
    "has an unread delivery": "SELECT run FROM wfe_deliveries WHERE outcome IS NULL",
    "is an event without its stream":
      "SELECT event AS run FROM wfe_events WHERE stream NOT IN (SELECT stream FROM wfe_streams)",
    "is the number of two events": "SELECT number AS run FROM wfe_events GROUP BY stream, number HAVING count(*) > 1",
  };
  for (const [problem, sql] of Object.entries(none)) {
    const runs = (await store.query<{ run: number }>(sql)).map(({ run }) => run);
    if (runs.length > 0) problems.push(`${problem}: ${runs.slice(0, 10).join(", ")}`);
  }
  return problems;
}

async function count(store: CrashStore, sql: string): Promise<number> {
  return Number((await store.query<{ n: number }>(sql))[0]?.n ?? 0);
}

/** Data with errors as their messages, so that it can be compared with what is expected. */
export function plain(value: unknown): unknown {
  if (value instanceof Error) return value.message;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}
