import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { retry, workflow, WorkflowHost, type WorkflowDefinition } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { memory } from "@wfe/core/testing";
import { sqlite } from "@wfe/sqlite";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { recorder, untilStopped } from "../support/recorder.ts";

const directory = mkdtempSync(join(tmpdir(), "wfe-real-"));
let files = 0;
const kinds: readonly { readonly name: string; open(): () => Provider }[] = [
  {
    name: "memory",
    open: () => {
      const shared = memory();
      return () => shared;
    },
  },
  {
    name: "sqlite",
    open: () => {
      const file = join(directory, `${files++}.db`);
      return () => sqlite(file);
    },
  },
];

const hosts: WorkflowHost[] = [];

async function startHost(provider: Provider, workflows: readonly WorkflowDefinition[]): Promise<WorkflowHost> {
  const host = new WorkflowHost({ providers: [provider], workflows });
  hosts.push(host);
  await host.start();
  return host;
}

afterEach(async () => {
  await Promise.all(hosts.splice(0).map((host) => host.stop({ timeout: 0 })));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** These run by the machine's clock: what they take is real, and so kept short. */
describe.each(kinds)("in real time, on $name", (kind) => {
  it("goes through delays, retries, events and branches as quickly as they allow", async () => {
    const { step, failing, counts } = recorder();
    const definition = workflow()
      .then(step("a"))
      .delay("20ms")
      .then(failing("shaky", 2))
      .onError(retry({ interval: "10ms" }))
      .waitFor<number>("go", "k")
      .as("n")
      .parallel((p) => p.branch((b) => b.delay(30).then(step("left"))).branch((b) => b.then(step("right"))))
      .build("w", 1);
    const host = await startHost(kind.open()(), [definition]);
    const startedAt = Date.now();
    const handle = await host.startWorkflow(definition, {});
    await host.publishEvent("go", "k", 7);
    expect(await handle.result({ timeout: "20s" })).toEqual({ n: 7 });
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(65);
    expect(counts()).toEqual({ a: 1, shaky: 3, left: 1, right: 1 });
  });

  it("times out a body that never returns, and the wait for a result", async () => {
    const definition = workflow()
      .then(async () => new Promise<never>(() => {}))
      .timeout("50ms")
      .build("w", 1);
    const waiting = workflow().waitFor("never", "").build("waiting", 1);
    const host = await startHost(kind.open()(), [definition, waiting]);
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result({ timeout: "20s" })).rejects.toMatchObject({
      code: "WORKFLOW_FAILED",
      cause: { code: "STEP_TIMEOUT" },
    });
    const other = await host.startWorkflow(waiting, {});
    await expect(other.result({ timeout: "50ms" })).rejects.toMatchObject({ code: "RESULT_TIMEOUT" });
  });

  it("waits at a stop for the step that runs", async () => {
    let ended = false;
    const began = Promise.withResolvers<void>();
    const definition = workflow()
      .then(async () => {
        began.resolve();
        await new Promise((resolve) => setTimeout(resolve, 300));
        ended = true;
      })
      .build("w", 1);
    const host = await startHost(kind.open()(), [definition]);
    await host.startWorkflow(definition, {});
    await began.promise;
    const stoppedAt = Date.now();
    await host.stop();
    expect(ended).toBe(true);
    expect(Date.now() - stoppedAt).toBeGreaterThanOrEqual(200);
  });

  it("reaches a workflow on another host soon: events, control calls and results", async () => {
    const connect = kind.open();
    const reasons: unknown[] = [];
    const definition = workflow()
      .waitFor<string>("e", "")
      .as("got")
      .then(async (_, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        return untilStopped(_, ctx);
      })
      .build("w", 1);
    await startHost(connect(), [definition]);
    const client = new WorkflowHost({ providers: [connect()], workflows: [definition] });
    hosts.push(client);
    const handle = await client.startWorkflow(definition, {});
    const began = Date.now();
    await client.publishEvent("e", "", "hello");
    while ((await handle.get())?.data.got === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    const { applied } = await client.terminateWorkflow(handle.id, { reason: "enough" });
    await applied({ timeout: "20s" });
    await expect(handle.result({ timeout: "20s" })).rejects.toMatchObject({ code: "WORKFLOW_TERMINATED" });
    expect(reasons).toMatchObject([{ reason: "terminated" }]);
    expect(Date.now() - began).toBeLessThan(10_000);
  });

  it("hands a stopped host's workflows to another one without waiting for a lease", async () => {
    const connect = kind.open();
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).delay("200ms").then(step("b")).build("w", 1);
    const first = await startHost(connect(), [definition]);
    const handle = await first.startWorkflow(definition, {}, { id: "w-1" });
    while (ran.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await first.stop();
    const second = await startHost(connect(), [definition]);
    await second.handle(handle.id).result({ timeout: "5s" });
    expect(ran).toEqual(["a", "b"]);
  });
});
