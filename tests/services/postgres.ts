// Real PostgreSQL servers for tests, started by the tests themselves: no Docker, no installation, on any port that is free.
import { type ChildProcess, fork } from "node:child_process";
import { linkSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KeeperCall, KeeperNews, KeeperTask } from "./postgres-keeper.ts";
import { makeServicesFolder, servicesFolder } from "./postgres-programs.ts";
import type { PostgresOptions } from "./postgres-server.ts";
import { isAlive, testRunPid } from "./processes.ts";

/** A server that a test has for itself, and may do anything to. */
export interface OwnPostgres extends AsyncDisposable {
  /** User `postgres`, who may do anything, without a password; user `guarded`, once made, has to give one. */
  readonly url: string;
  /** The server's process id, which a restart changes. */
  readonly pid: number;
  /** Ends the server and deletes what it stored. Harmless when repeated. */
  stop(): Promise<void>;
  /** `kill -9` of the server. What was committed is there after {@link OwnPostgres.restart}. */
  kill(): Promise<void>;
  /** Ends the server in good order where it runs, or finds it killed, and starts it again at the same address. */
  restart(): Promise<void>;
}

/** A server that all test files of a run share. Each makes a schema or a database of its own in it. */
export interface SharedPostgres {
  /** User `postgres`, who may do anything, without a password. */
  readonly url: string;
}

/** Starts a server of its own, which ends with this process at the latest, however that ends. */
export async function startPostgres(options: PostgresOptions = {}): Promise<OwnPostgres> {
  const keeper = await startKeeper({ options, owner: process.pid, endsWithParent: true });
  let { pid } = keeper;
  let stopped = false;

  async function call(method: KeeperCall["method"]): Promise<void> {
    pid = await keeper.call(method);
  }
  async function stop(): Promise<void> {
    if (stopped) return;
    stopped = true;
    await call("remove");
  }

  return {
    url: keeper.url,
    get pid() {
      return pid;
    },
    stop,
    kill: () => call("kill"),
    async restart() {
      await call("stop");
      await call("start");
    },
    [Symbol.asyncDispose]: stop,
  };
}

let shared: Promise<SharedPostgres> | undefined;

/**
 * The server of this test run, which the first who asks starts. It ends with the run, however that ends.
 *
 * `WFE_POSTGRES_URL` names one that runs already, of a user who may make schemas and databases.
 */
export function sharedPostgres(): Promise<SharedPostgres> {
  return (shared ??= findOrStartShared());
}

/**
 * {@link sharedPostgres}, or undefined where no server can be started here: what needs it is then skipped.
 *
 * With `WFE_CI=1` it throws instead: there, nothing may be skipped.
 */
export async function sharedPostgresIfAny(): Promise<SharedPostgres | undefined> {
  try {
    return await sharedPostgres();
  } catch (error) {
    if (process.env["WFE_CI"] === "1") throw error;
    console.warn(`SKIPPED, what needs PostgreSQL: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

async function findOrStartShared(): Promise<SharedPostgres> {
  const given = process.env["WFE_POSTGRES_URL"];
  if (given !== undefined) return { url: given };
  const owner = testRunPid();
  const noteFile = join(servicesFolder, `postgres-of-${owner}.json`);
  const found = await readNote(noteFile);
  if (found !== undefined) return found;

  makeServicesFolder();
  const keeper = await startKeeper({ options: {}, owner, endsWithParent: false, noteFile });
  const fresh = `${noteFile}.${process.pid}`;
  writeFileSync(fresh, JSON.stringify({ url: keeper.url, pid: keeper.pid }));
  try {
    linkSync(fresh, noteFile);
    keeper.leave();
    return { url: keeper.url };
  } catch {
    // Two test files asked at once: a second server would be two runs' worth of memory.
    const first = await readNote(noteFile);
    if (first === undefined) throw new Error(`nothing answers at the address in ${noteFile}: delete it`);
    await keeper.call("remove");
    return first;
  } finally {
    rmSync(fresh, { force: true });
  }
}

async function readNote(noteFile: string): Promise<SharedPostgres | undefined> {
  let note: { readonly url: string; readonly pid: number };
  try {
    note = JSON.parse(readFileSync(noteFile, "utf8")) as typeof note;
  } catch {
    return undefined;
  }
  if (isAlive(note.pid) && (await answers(note.url))) return { url: note.url };
  // Left by a run of long ago whose process id has come round again.
  rmSync(noteFile, { force: true });
  return undefined;
}

function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port) });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

interface Keeper {
  readonly url: string;
  readonly pid: number;
  call(method: KeeperCall["method"]): Promise<number>;
  /** Lets it go on alone. */
  leave(): void;
}

async function startKeeper(task: KeeperTask): Promise<Keeper> {
  const child: ChildProcess = fork(
    fileURLToPath(new URL("./postgres-keeper.ts", import.meta.url)),
    [JSON.stringify(task)],
    {
      // In a session of its own: what ends this process' whole group must not end the keeper before its server.
      detached: true,
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      execArgv: [],
    },
  );
  const waiting = new Map<number, { resolve(pid: number): void; reject(error: Error): void }>();
  let calls = 0;

  const { url, pid } = await new Promise<{ url: string; pid: number }>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => {
      const gone = new Error(`the keeper of a PostgreSQL server ended with code ${code}`);
      reject(gone);
      for (const call of waiting.values()) call.reject(gone);
    });
    child.on("message", (news: KeeperNews) => {
      if ("url" in news) return resolve(news);
      if ("failed" in news) return reject(new Error(news.failed));
      const call = waiting.get(news.call);
      waiting.delete(news.call);
      if (news.error === undefined) call?.resolve(news.pid);
      else call?.reject(new Error(news.error));
    });
  });
  idle();

  // An open server keeps no process alive that has nothing left to do.
  function idle(): void {
    if (waiting.size > 0) return;
    child.unref();
    child.channel?.unref();
  }

  return {
    url,
    pid,
    async call(method) {
      calls += 1;
      const call = calls;
      child.ref();
      child.channel?.ref();
      try {
        return await new Promise<number>((resolve, reject) => {
          waiting.set(call, { resolve, reject });
          child.send({ call, method } satisfies KeeperCall);
        });
      } finally {
        idle();
      }
    },
    leave() {
      child.disconnect();
    },
  };
}
