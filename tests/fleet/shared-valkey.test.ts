import { WorkflowHost, workflow } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { valkey } from "@wfe/valkey";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { findValkey, type ValkeyServer } from "../services/valkey.ts";

const found = await findValkey();
const soon = { timeout: 15_000, interval: 20 };
const hello = workflow<{ readonly n: number }>()
  .startWith(({ n }: { readonly n: number }) => n)
  .build("hello", 1);

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "wfe-valkey-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function startedServer(): Promise<ValkeyServer> {
  const server = await found.service!.start();
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function hostOf(file: string, url: string): Promise<WorkflowHost> {
  const host = new WorkflowHost({ providers: [sqlite(file), valkey(url)], workflows: [hello], log: quiet() });
  onTestFinished(() => host.stop());
  await host.start();
  return host;
}

describe.skipIf(!found.available)(`stores that share a server, and the prefix as well ${found.reason}`, () => {
  it("each have roles, queue and lifecycle events of their own", async () => {
    const { url } = await startedServer();
    const directory = folder();
    const hosts = [await hostOf(join(directory, "a.db"), url), await hostOf(join(directory, "b.db"), url)];
    const heard: string[] = [];
    hosts[0]!.on("workflow.completed", ({ workflowId }) => heard.push(workflowId));
    // It takes a moment until the others know that somebody listens.
    await new Promise((resolve) => setTimeout(resolve, 200));
    for (const [at, host] of hosts.toReversed().entries()) {
      const id = `of-${1 - at}`;
      await (await host.startWorkflow(hello, { n: 1 }, { id, tags: ["here"] })).result({ timeout: "15s" });
    }
    await expect.poll(() => heard, soon).toContain("of-0");
    expect(heard).toEqual(["of-0"]);
    for (const [at, host] of hosts.entries()) {
      // Who feeds the index is decided by a role, and each store has one that does.
      await expect.poll(async () => (await host.health()).search?.state, soon).toBe("indexing");
      await expect
        .poll(async () => (await host.searchWorkflows("tag:here")).items.map(({ id }) => id), soon)
        .toEqual([`of-${at}`]);
    }
  });

  it("and each find theirs again, also where the server has forgotten everything", async () => {
    const server = await startedServer();
    const directory = folder();
    for (const round of [1, 2, 3]) {
      const host = await hostOf(join(directory, "a.db"), server.url);
      await (await host.startWorkflow(hello, { n: round }, { id: `${round}` })).result({ timeout: "15s" });
      await host.stop();
      if (round === 2) await server.command("FLUSHALL");
    }
  });

  it("but not one provider: it serves the hosts of one store", async () => {
    const { url } = await startedServer();
    const directory = folder();
    const shared = valkey(url);
    const of = (name: string): WorkflowHost => {
      const host = new WorkflowHost({ providers: [sqlite(join(directory, name)), shared], log: quiet() });
      onTestFinished(() => host.stop());
      return host;
    };
    await of("a.db").start();
    await of("a.db").start();
    await expect(of("b.db").start()).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("one of its own"),
    });
  });
});
