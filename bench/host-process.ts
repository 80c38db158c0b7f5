// A process that runs workflows on PostgreSQL while it is told to.
import { WorkflowHost } from "@wfe/core";
import { postgres } from "@wfe/postgres";
import { optionsOf, serve } from "../tests/processes/support/serve.ts";
import { noOps } from "./steps.ts";

const { url, stepsEach } = optionsOf<{ readonly url: string; readonly stepsEach: number }>();
let host: WorkflowHost | undefined;

serve({
  run: async () => {
    host = new WorkflowHost({
      providers: [postgres(url, { search: false })],
      workflows: [noOps(stepsEach)],
    });
    await host.start();
  },
  rest: async () => {
    await host?.stop();
    host = undefined;
  },
});
