import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { WorkflowHost } from "@wfe/core";
import type { PersistenceProvider, Provider } from "@wfe/core/providers";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { until } from "../../processes/support/until.ts";
import type { Acknowledged } from "../audit.ts";
import { type Attempt, kindNames, mixOf, ticked } from "../mix.ts";
import { quiet } from "../quiet.ts";
import type { CrashStore } from "../stores/crash-store.ts";

/** Bytes before the first frame of a log, and of a frame's header: https://sqlite.org/fileformat2.html#the_write_ahead_log */
export const logHeaderBytes = 32;
export const frameBytes: number = 24 + 4096;

/** Something that the store said was done. `frame`: how many frames the log had by then; power that fails later leaves it. */
export interface Fact {
  readonly frame: number;
  readonly fact:
    | { readonly kind: "workflow"; readonly run: number; readonly start: Acknowledged | undefined }
    | { readonly kind: "turn"; readonly run: number; readonly seq: number }
    | { readonly kind: "event"; readonly id: string }
    | { readonly kind: "delivery"; readonly run: number; readonly number: number };
}

/** One filling of the write-ahead log, from a checkpoint that left nothing in it to the next. */
export interface Filling {
  /** The database's file, as it stays all through it. */
  readonly base: Buffer;
  /** The log's file when it began: what is not overwritten of it is still there. */
  readonly before: Buffer;
  /** The log's file when it ended, and the frames of it that count. */
  readonly log: Buffer;
  readonly frames: number;
  readonly facts: readonly Fact[];
  readonly attempts: readonly { readonly frame: number; readonly attempt: Attempt }[];
}

/** Runs the mix on a file, some workflows a filling, and records what was acknowledged at which length of the log. */
export async function record(
  store: CrashStore,
  random: () => number,
  { fillings, workflows }: { readonly fillings: number; readonly workflows: number },
): Promise<Filling[]> {
  const file = store.spec.slice("sqlite:".length);
  // Open all through, so that no other connection is the last one, which would empty the log.
  const observer = new Database(file);
  observer.pragma("wal_autocheckpoint = 0");
  observer.pragma("journal_mode = WAL");
  const recorded: Filling[] = [];
  let started = 0;
  try {
    // Before the first frame there is a file with nothing in it.
    checkpoint(observer);
    for (let filling = 0; filling < fillings; filling += 1) {
      const base = readFileSync(file);
      const before = readFileSync(`${file}-wal`);
      const facts: Fact[] = [];
      const attempts: { frame: number; attempt: Attempt }[] = [];
      const frame = (): number => framesOf(file);
      const provider = watched(file, (fact) => facts.push({ frame: frame(), fact }));
      await runMix({
        store,
        provider,
        random,
        first: started,
        workflows,
        noted: (attempt) => attempts.push({ frame: frame(), attempt }),
        acknowledged: (start, run) => facts.push({ frame: frame(), fact: { kind: "workflow", run, start } }),
      });
      started += workflows;
      recorded.push({ base, before, log: readFileSync(`${file}-wal`), frames: frame(), facts, attempts });
      checkpoint(observer);
    }
  } finally {
    observer.close();
  }
  return recorded;
}

interface Run {
  readonly store: CrashStore;
  readonly provider: Provider;
  readonly random: () => number;
  readonly first: number;
  readonly workflows: number;
  readonly noted: (attempt: Attempt) => void;
  readonly acknowledged: (start: Acknowledged, run: number) => void;
}

async function runMix({ store, provider, random, first, workflows, noted, acknowledged }: Run): Promise<void> {
  const kinds = mixOf({
    store: store.spec,
    noted,
    publish: (name, key, payload, id) => host.publishEvent(name, key, payload, { id }),
  });
  const definitions = [...kindNames, "child"].map((name) => kinds[name]!.definition);
  const host = new WorkflowHost({ providers: [provider], workflows: definitions, lease: "1s", log: quiet() });
  await host.start();
  for (let n = first; n < first + workflows; n += 1) {
    const name = kindNames[n % kindNames.length]!;
    const kind = kinds[name]!;
    const start: Acknowledged = { id: `${name}-${n}`, kind, data: kind.data(random) };
    await host.startWorkflow(kind.definition, start.data, { id: start.id });
    const [row] = await provider.persistence!.find("default", [start.id]);
    acknowledged(start, row!.run);
    if (n % 3 === 0) {
      await host.suspendWorkflow(start.id);
      await host.resumeWorkflow(start.id);
    }
    for (let each = 1; each <= (kind.events?.(start.data) ?? 0); each += 1) {
      await host.publishEvent(ticked, start.id, { n: each }, { id: `${start.id}-${each}` });
    }
  }
  const unfinished = { status: ["runnable", "waiting", "suspended"] as const };
  await until({ what: "all have ended" }, async () => (await host.countWorkflows(unfinished)) === 0);
  await host.stop();
}

/** The provider, telling what it has said was done. */
function watched(file: string, tell: (fact: Fact["fact"]) => void): Provider {
  const provider = sqlite(file, {
    onConnect: (connection) => {
      // Nothing below would show anything if commits did not wait for the disk.
      if (connection.pragma("synchronous", { simple: true }) !== 2) throw new Error("`synchronous` is not FULL");
      connection.pragma("wal_autocheckpoint = 0");
    },
  });
  const store = provider.persistence!;
  const telling: Pick<PersistenceProvider, "commit" | "create" | "publish" | "deliver"> = {
    commit: async (items) => {
      const turns: { run: number; seq: number }[] = items.map(({ run, seq }) => ({ run, seq }));
      const results = await store.commit(items);
      for (const [place, { outcome }] of results.entries()) {
        if (outcome === "applied") tell({ kind: "turn", ...turns[place]! });
      }
      return results;
    },
    create: async (workflows) => {
      const results = await store.create(workflows);
      for (const { run } of results) tell({ kind: "workflow", run, start: undefined });
      return results;
    },
    publish: async (events) => {
      const results = await store.publish(events);
      for (const { eventId } of events) tell({ kind: "event", id: eventId });
      return results;
    },
    deliver: async (deliveries, limit) => {
      const results = await store.deliver(deliveries, limit);
      for (const [place, result] of results.entries()) {
        const { to: run } = deliveries[place]!;
        if (result.outcome === "accepted") tell({ kind: "delivery", run, number: result.number });
      }
      return results;
    },
  };
  const persistence = new Proxy(store, {
    get: (target, key) =>
      Object.hasOwn(telling, key) ? Reflect.get(telling, key) : (Reflect.get(target, key, target) as unknown),
  });
  return { ...provider, persistence };
}

/** Writes all of the log to the database, so that the next commit begins the log anew. */
function checkpoint(observer: Database.Database): void {
  const [result] = observer.pragma("wal_checkpoint(RESTART)") as [{ busy: number }];
  if (result.busy !== 0) throw new Error("somebody still reads");
}

/** How many frames of the log count now, from the index that all connections share (`mxFrame`). */
function framesOf(file: string): number {
  const descriptor = openSync(`${file}-shm`, "r");
  const bytes = Buffer.alloc(4);
  readSync(descriptor, bytes, 0, 4, 16);
  closeSync(descriptor);
  return bytes.readUInt32LE();
}
