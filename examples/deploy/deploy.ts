// Runs deploy.yaml against a status page that this program serves itself:
//
//   node --conditions=wfe-source examples/deploy/deploy.ts
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { loadWorkflow } from "@wfe/yaml";

const statusPage = createServer((request, response) => {
  let body = "";
  request.on("data", (chunk: Buffer) => (body += chunk.toString()));
  request.on("end", () => {
    console.log(`status page: ${body}`);
    response.end("noted");
  });
});
await new Promise<void>((resolve) => statusPage.listen(0, "localhost", resolve));

const folder = mkdtempSync(join(tmpdir(), "wfe-deploy-"));
const deploy = await loadWorkflow(fileURLToPath(new URL("deploy.yaml", import.meta.url)), {
  stage: "staging",
  folder,
  port: (statusPage.address() as AddressInfo).port,
});

const host = new WorkflowHost({ providers: [sqlite(join(folder, "deploy.db"))], workflows: [deploy] });
host.on("step.output", (event) => process.stdout.write(`${event.stepName}: ${event.chunk}`));
host.on("step.retrying", (event) => console.log(`${event.stepName}: failed, and is tried again`));
await host.start();

// The second one is called like an attack, and is only a text; the third is the first again, whose build is in the cache.
for (const commit of ["3f2a91c", "'; touch pwned; $(touch pwned) #", "3f2a91c"]) {
  console.log(`\n== ${commit}`);
  const handle = await host.startWorkflow(deploy, { commit });
  const data = (await handle.result()) as { url: string; size: number; status: number };
  console.log(`deployed ${data.size} bytes to ${data.url}, the status page said ${data.status}`);
}

// A failure: the upload is tried until its retries are used up, what `on_failure` and `ensure` say is done, and nobody is told.
console.log("\n== broken");
const broken = await host.startWorkflow(deploy, { commit: "badc0de", broken: true });
const error = (await broken.result().catch((failure: unknown) => failure)) as Error;
console.log(`not deployed: ${(error.cause as Error).message}`);

await host.stop();
statusPage.close();
rmSync(folder, { recursive: true, force: true });
