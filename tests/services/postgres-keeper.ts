// A process that has one server as its child, and ends it when the process that it was started for is gone: also when that
// one was killed and could end nothing itself.
//
// Its one argument is a `KeeperTask`, and it is forked: it tells `KeeperNews`, and takes `KeeperCall`s.
import { readFileSync, rmSync } from "node:fs";
import { PostgresServer, type PostgresOptions } from "./postgres-server.ts";
import { isAlive } from "./processes.ts";

export interface KeeperTask {
  readonly options: PostgresOptions;
  /** The server ends with this process. */
  readonly owner: number;
  /** Whether it also ends as soon as the process that forked it has gone, or has lost its handle. */
  readonly endsWithParent: boolean;
  /** A file that names this server for others, once it does. Deleted with the server. */
  readonly noteFile?: string;
}

export interface KeeperCall {
  readonly call: number;
  readonly method: "start" | "stop" | "kill" | "remove";
}

export type KeeperNews =
  | { readonly url: string; readonly pid: number }
  | { readonly failed: string }
  | { readonly call: number; readonly pid: number; readonly error?: string };

const task = JSON.parse(process.argv[2] ?? "") as KeeperTask;
let server: PostgresServer | undefined;
let ending = false;

// Whoever interrupts the test run from the keyboard means the run, whose end is what ends this process.
process.on("SIGINT", () => {});
process.on("SIGTERM", () => void end());
process.on("disconnect", () => {
  if (task.endsWithParent) void end();
});
setInterval(() => {
  if (!isAlive(task.owner)) void end();
}, 250);

process.on("message", (message: KeeperCall) => void answer(message));

try {
  server = new PostgresServer(task.options);
  await server.start();
  tell({ url: server.url, pid: server.pid });
} catch (error) {
  tell({ failed: error instanceof Error ? error.message : String(error) });
  await end();
}

async function answer({ call, method }: KeeperCall): Promise<void> {
  try {
    if (method === "remove") await server?.remove();
    else await server?.[method]();
    tell({ call, pid: server?.pid ?? 0 });
  } catch (error) {
    tell({ call, pid: 0, error: error instanceof Error ? error.message : String(error) });
  }
  if (method === "remove") await end();
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  if (task.noteFile !== undefined && namesServer(task.noteFile)) rmSync(task.noteFile, { force: true });
  await server?.remove();
  process.exit(0);
}

/** Another keeper may have been first: then the file names that one's server. */
function namesServer(noteFile: string): boolean {
  try {
    return (JSON.parse(readFileSync(noteFile, "utf8")) as { url: string }).url === server?.url;
  } catch {
    return false;
  }
}

function tell(news: KeeperNews): void {
  // The parent of a server for the whole run may have gone long ago.
  if (process.connected) process.send?.(news, undefined, {}, () => {});
}
