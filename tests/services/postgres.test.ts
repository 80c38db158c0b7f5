import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { sharedPostgres, sharedPostgresIfAny, startPostgres } from "./postgres.ts";

interface Held {
  readonly own: string;
  readonly shared: string;
}

const available = (await sharedPostgresIfAny()) !== undefined;

it.skipIf(!available)("ends a server when the process that started it is killed", { timeout: 60_000 }, async () => {
  const [first, second] = await Promise.all([hold(), hold()]);
  // Neither is a worker of vitest by itself: each is a test run of its own.
  expect(new Set([first.own, first.shared, second.own, second.shared]).size).toBe(4);
  first.child.kill("SIGKILL");
  await until(async () => !(await answers(first.own)) && !(await answers(first.shared)));
  expect(await answers(second.own)).toBe(true);
  second.child.kill("SIGKILL");
  await until(async () => !(await answers(second.own)) && !(await answers(second.shared)));
});

it.skipIf(!available)("is one server for all test files of a run", async () => {
  expect(await sharedPostgres()).toEqual(await sharedPostgres());
  const others = await Promise.all([1, 2, 3].map(() => hold({ VITEST: "true" })));
  // Their parent is this process: for them, it is the test run.
  expect(new Set(others.map((other) => other.shared)).size).toBe(1);
  for (const other of others) other.child.kill("SIGKILL");
});

it.skipIf(!available)("has the same address after a kill and a restart", async () => {
  await using own = await startPostgres();
  const { url, pid } = own;
  await own.kill();
  // A process that the server was just forking may hold its socket for a moment longer.
  await until(async () => !(await answers(url)));
  await own.restart();
  expect(own.url).toBe(url);
  expect(own.pid).not.toBe(pid);
  expect(await answers(url)).toBe(true);
});

async function hold(environment: Record<string, string> = {}): Promise<Held & { readonly child: ChildProcess }> {
  const { VITEST: _, ...inherited } = process.env;
  const child = fork(fileURLToPath(new URL("./children/hold-servers.ts", import.meta.url)), {
    execArgv: [],
    env: { ...inherited, ...environment },
  });
  const [held] = (await once(child, "message")) as [Held];
  return { ...held, child };
}

function answers(url: string): Promise<boolean> {
  const { port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

async function until(fact: () => Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; !(await fact()); waitedMs += 50) {
    if (waitedMs > 20_000) throw new Error(`this has not become true: ${fact.toString()}`);
    await sleep(50);
  }
}
