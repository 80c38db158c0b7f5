import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type ClaimedWorkflow,
  type NewDelivery,
  type NewEvent,
  type NewWorkflow,
  type PersistenceProvider,
  type Provider,
  type RowWrite,
  type Run,
  systemRuntime,
  type TurnCommit,
} from "@wfe/core/providers";
import Database from "better-sqlite3";
import { onTestFinished } from "vitest";
import { sqlite, type SqliteOptions } from "../src/index.ts";

export const runtime = systemRuntime();
export const definition = { id: "order", version: 1 } as const;

/** A directory that goes when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "wfe-sqlite-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function temporaryFile(): string {
  return join(temporaryDirectory(), "app.db");
}

/** A provider that is open until the test ends. */
export async function open(
  target: string | Database.Database = temporaryFile(),
  options: SqliteOptions = {},
): Promise<Stage> {
  const provider = sqlite(target, options);
  await provider.open({ runtime });
  onTestFinished(() => provider.close());
  return stageOf(provider);
}

/** A connection of the application's own, open until the test ends. */
export function connect(file: string): Database.Database {
  const db = new Database(file);
  onTestFinished(() => void db.close());
  return db;
}

export interface Stage {
  readonly provider: Provider;
  readonly store: PersistenceProvider;
  /** Claims what is due for the lease. */
  readonly claim: (lease?: string) => Promise<readonly ClaimedWorkflow[]>;
  /** Creates and claims workflows; gives their numbers. */
  readonly hold: (count: number) => Promise<readonly Run[]>;
}

function stageOf(provider: Provider): Stage {
  const store = provider.persistence;
  if (store === undefined) throw new Error("no persistence");
  const claim = (lease = "lease-1"): Promise<readonly ClaimedWorkflow[]> =>
    store.claim({ lease, limit: 1_000, definitions: [definition], format: 1 });
  return {
    provider,
    store,
    claim,
    hold: async (count) => {
      const created = await store.create(Array.from({ length: count }, () => workflow()));
      await claim();
      return created.map(({ run }) => run);
    },
  };
}

export function workflow(over: Partial<NewWorkflow> = {}): NewWorkflow {
  return {
    namespace: "default",
    id: runtime.randomId(),
    uid: runtime.randomId(),
    definitionId: definition.id,
    version: definition.version,
    definitionHash: "hash",
    priority: 0,
    tags: [],
    startAt: null,
    startText: "{}",
    parent: null,
    firstTurn: null,
    ...over,
  };
}

export function turn(run: Run, seq: number, over: Partial<TurnCommit> = {}): TurnCommit {
  return {
    run,
    claim: 1,
    seq,
    turn: runtime.randomId(),
    host: "host-1",
    entriesText: "[]",
    namespace: "default",
    ...over,
  };
}

export function row(over: Partial<RowWrite> = {}): RowWrite {
  return {
    status: "waiting",
    dueAt: null,
    release: true,
    notedSignals: 0,
    version: definition.version,
    definitionHash: "hash",
    completedAt: null,
    resultText: null,
    errorText: null,
    waitingFor: [],
    ...over,
  };
}

export function event(over: Partial<NewEvent> = {}): NewEvent {
  return {
    namespace: "default",
    name: "paid",
    key: "o-1",
    eventId: runtime.randomId(),
    payloadText: "{}",
    effectiveAt: null,
    ...over,
  };
}

export function delivery(to: Run, over: Partial<NewDelivery> = {}): NewDelivery {
  return {
    deliveryId: runtime.randomId(),
    to,
    kind: "note",
    bodyText: "{}",
    keepOutcome: false,
    exempt: false,
    ...over,
  };
}

export interface Child {
  /** Resolves to what it has printed so far, line by line, as soon as `isEnough` says so, or it has ended. */
  readonly until: (isEnough: (lines: readonly string[]) => boolean) => Promise<readonly string[]>;
  readonly kill: () => Promise<void>;
  /** The exit code, and all that it printed. Rejects with its errors where it failed. */
  readonly ended: Promise<readonly string[]>;
  readonly pid: number;
}

/** Runs a script in a process of its own, with arguments that it reads as JSON. */
export function startChild(script: URL, ...args: readonly unknown[]): Child {
  const path = fileURLToPath(script);
  const child = spawn(process.execPath, ["--conditions=wfe-source", path, ...args.map((arg) => JSON.stringify(arg))], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  let killed = false;
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  child.stdout.on("data", (data: Buffer) => {
    output += data.toString();
    tell();
  });
  child.stderr.on("data", (data: Buffer) => (errors += data.toString()));
  const lines = (): readonly string[] => output.split("\n").slice(0, -1);
  const ended = new Promise<readonly string[]>((resolve, reject) => {
    child.on("close", (code) => {
      tell();
      if (code === 0 || killed) resolve(lines());
      else reject(new Error(`${path} ended with ${code}: ${errors}${output}`));
    });
  });
  ended.catch(() => undefined);
  return {
    pid: child.pid ?? 0,
    ended,
    until: (isEnough) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (isEnough(lines())) resolve(lines());
        };
        listeners.add(look);
        look();
        ended.then(resolve, reject);
      }),
    kill: async () => {
      killed = true;
      child.kill("SIGKILL");
      await ended;
    },
  };
}
