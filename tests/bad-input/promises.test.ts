import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { Child } from "../processes/support/child.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { promiseWorks } from "./promise-works.ts";
import { rudeWorksOf } from "./rude-works.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

it("a promise that is refused and rejects later fails its step, and not the process with its other workflows", async () => {
  using store = new StoreFile();
  const works = promiseWorks();
  const { neighbour } = rudeWorksOf(() => {});
  const workflows = [...works, neighbour];
  await using client = new WorkflowHost({ providers: [sqlite(store.file)], workflows, log: quiet() });
  const beside = await client.startWorkflow(neighbour, { steps: 20 });
  const handles = await client.startWorkflows(works.map((definition) => ({ definition, data: {} })));

  await using child = await Child.spawn(new URL("./rude-runner.ts", import.meta.url), { file: store.file });
  const died = child.ended.then(({ code }) => `the process ended (${code}): ${child.errors}`);
  await child.call("start");
  for (const [index, handle] of handles.entries()) {
    const place = works[index]?.id;
    const failed = handle.result({ timeout: "20s" }).catch((error: unknown) => error);
    const says =
      place === "thrown-by-a-body" ? /not an error was thrown/ : /a promise|a Promise|ExecutionResult.sleep/i;
    expect(await Promise.race([failed, died]), place).toMatchObject({
      code: "WORKFLOW_FAILED",
      cause: { stepId: "here", message: expect.stringMatching(says) },
    });
  }
  expect(await Promise.race([beside.result({ timeout: "20s" }), died])).toMatchObject({ done: 20 });
});
