import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { expect, it, vi } from "vitest";
import { Child } from "../processes/support/child.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { until } from "../processes/support/until.ts";
import { deadlyOf } from "./deadly.ts";
import { quiet } from "./quiet.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const script = new URL("./deadly-runner.ts", import.meta.url);

/** Lets a process die in the workflow's step, and gives a host that goes on. */
async function afterDeath(store: StoreFile, onCrash: "retry" | "fail" | "suspend"): Promise<WorkflowHost> {
  const { judged } = deadlyOf(() => {});
  const definition = judged[onCrash];
  const host = new WorkflowHost({ providers: [sqlite(store.file)], workflows: [definition], log: quiet() });
  await host.startWorkflow(definition, { dieBelow: 2 }, { id: "deadly" });
  await using child = await Child.spawn(script, { file: store.file });
  child.call("start").catch(() => {});
  expect(await child.ended).toEqual({ code: null, signal: "SIGKILL" });
  await host.start();
  return host;
}

it("attempts a step again in which its process died, under the same key", async () => {
  using store = new StoreFile();
  await using host = await afterDeath(store, "retry");
  const result = await host.handle("deadly").result({ timeout: "10s" });
  expect(result).toMatchObject({ step: { attempt: 2 } });
});

it('fails a step with `onCrash("fail")` in which its process died', async () => {
  using store = new StoreFile();
  await using host = await afterDeath(store, "fail");
  const failed = await host
    .handle("deadly")
    .result({ timeout: "10s" })
    .catch((error: unknown) => error);
  expect(failed).toMatchObject({
    code: "WORKFLOW_FAILED",
    cause: { code: "STEP_CRASHED", stepId: "step", attempt: 1 },
  });
});

it('suspends a workflow whose step has `onCrash("suspend")`, until someone decides', async () => {
  using store = new StoreFile();
  await using host = await afterDeath(store, "suspend");
  await until({ what: "it is suspended" }, async () => (await host.getWorkflow("deadly"))?.status === "suspended");
  expect((await host.getWorkflow("deadly"))?.error).toMatchObject({ code: "STEP_CRASHED" });

  const resumed = await host.resumeWorkflow("deadly");
  await resumed.applied({ timeout: "10s" });
  expect(await host.handle("deadly").result({ timeout: "10s" })).toMatchObject({ step: { attempt: 2 } });
});
