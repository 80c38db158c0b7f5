import { WorkflowHost, workflow } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { valkey } from "@wfe/valkey";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { findRedis, findValkey, type ValkeyServer } from "../services/valkey.ts";

const [found, redis] = await Promise.all([findValkey(), findRedis()]);
const hello = workflow<{ readonly n: number }>()
  .startWith(({ n }: { readonly n: number }) => n)
  .build("hello", 1);

interface Started {
  readonly host: WorkflowHost;
  /** What it has to say of its lease. */
  readonly told: string[];
}

async function hostAt({ url }: ValkeyServer, lease: "2s" | "6s"): Promise<Started> {
  const directory = mkdtempSync(join(tmpdir(), "wfe-valkey-"));
  const told: string[] = [];
  const tell = (text: string): void => void told.push(text);
  const log = { ...quiet(), info: tell, warn: tell, error: tell };
  const host = new WorkflowHost({
    providers: [sqlite(join(directory, "a.db")), valkey(url)],
    workflows: [hello],
    log,
    lease,
  });
  onTestFinished(async () => {
    await host.stop({ timeout: 0 });
    rmSync(directory, { recursive: true, force: true });
  });
  await host.start();
  return { host, told };
}

async function runs(host: WorkflowHost, n: number): Promise<void> {
  await (await host.startWorkflow(hello, { n })).result({ timeout: "15s" });
}

describe.skipIf(!found.available)(`a host whose Valkey ails ${found.reason}`, () => {
  it("is never in doubt of its lease while the server takes what it is sent and answers nothing", async () => {
    const server = await found.service!.start();
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { host, told } = await hostAt(server, "6s");
    await runs(host, 0);
    server.freeze();
    onTestFinished(() => server.thaw());
    const until = Date.now() + 9_000;
    for (let n = 1; Date.now() < until; n += 1) {
      await runs(host, n);
      await pause(100);
    }
    expect(told.filter((text) => text.includes("lock service cannot be reached"))).toHaveLength(1);
    expect(told.filter((text) => text.includes("no step begins"))).toEqual([]);
    server.thaw();
    await expect.poll(() => told.includes("the lock service answers again"), { timeout: 15_000 }).toBe(true);
    await runs(host, -1);
    expect((await host.health()).lease).toBe("alive");
  });

  it.each([
    { name: "Valkey", service: found.service },
    { name: "Redis 7", service: redis.service },
  ])("gets a lease from a $name that has lost it and is full", async ({ service }) => {
    const server = await service!.start();
    onTestFinished(() => server[Symbol.asyncDispose]());
    const { host, told } = await hostAt(server, "2s");
    await runs(host, 0);
    await server.command("CONFIG", "SET", "maxmemory", "1");
    await server.command("FLUSHALL");
    await expect.poll(() => told.some((text) => text.includes("lease is dead")), { timeout: 15_000 }).toBe(true);
    await runs(host, 1);
    expect((await host.health()).lease).toBe("alive");
    await pause(3_000);
    await runs(host, 2);
    expect(told.filter((text) => text.includes("no new lease"))).toEqual([]);
  });
});
