// A process that runs workflows which harm it.
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { optionsOf, serve, tell } from "../processes/support/serve.ts";
import { promiseWorks } from "./promise-works.ts";
import { rudeWorksOf } from "./rude-works.ts";

const { file, lease = "10s" } = optionsOf<{ readonly file: string; readonly lease?: string }>();
const nothing = (): void => {};
const host = new WorkflowHost({
  providers: [sqlite(file)],
  workflows: [...Object.values(rudeWorksOf(tell)), ...promiseWorks()],
  lease: lease as "10s",
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
});

serve({ start: () => host.start() });
