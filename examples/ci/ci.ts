// Checks this repository: ci.yaml, kept in `.wfe/ci.db`, so that a run that was interrupted goes on where it was.
//
//   node --conditions=wfe-source examples/ci/ci.ts             a new run, or the one that was interrupted
//   node --conditions=wfe-source examples/ci/ci.ts "echo npm"  shows what it would do
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { loadWorkflow } from "@wfe/yaml";

const [npm = "npm", store] = process.argv.slice(2);
const root = fileURLToPath(new URL("../..", import.meta.url));
const file = store ?? join(root, ".wfe", "ci.db");
if (store === undefined) mkdirSync(join(root, ".wfe"), { recursive: true });

const ci = await loadWorkflow(fileURLToPath(new URL("ci.yaml", import.meta.url)), { npm, root });
await using host = new WorkflowHost({ providers: [sqlite(file)], workflows: [ci] });
host.on("step.output", (event) => process.stdout.write(`${event.stepName} | ${event.chunk}`));
host.on("step.completed", (event) => console.log(`${event.stepName} | ok`));
await host.start();

const { items } = await host.listWorkflows({ definitionId: "ci", status: ["runnable", "waiting"], limit: 1 });
const [interrupted] = items;
const handle = interrupted === undefined ? await host.startWorkflow(ci, {}) : host.handle(ci, interrupted.id);
try {
  await handle.result();
  console.log("all checks have passed");
} catch (error) {
  const { cause = error } = error as Error;
  console.error((cause as Error).message);
  process.exitCode = 1;
}
