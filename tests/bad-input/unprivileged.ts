// A process that may only read a file: the superuser may write every file, so it becomes somebody else.
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { optionsOf, serve } from "../processes/support/serve.ts";

const nobody = 65_534;
const { file } = optionsOf<{ readonly file: string }>();
const nothing = (): void => {};
const host = new WorkflowHost({
  providers: [sqlite(file)],
  log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
});

// After the sources are loaded, which it might not be allowed to read.
serve({
  start: async () => {
    if (process.getuid?.() === 0) process.setuid?.(nobody);
    await host.start();
  },
});
