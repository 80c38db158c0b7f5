// A process that opens a file, and may be killed while it makes the tables.
import { systemRuntime } from "@wfe/core/providers";
import { sqlite } from "@wfe/sqlite";
import { die } from "../crash/dying-provider.ts";
import { optionsOf, serve } from "./support/serve.ts";

const { file, diesAtStatement } = optionsOf<{ readonly file: string; readonly diesAtStatement?: number }>();
let left = diesAtStatement ?? 0;
const store = sqlite(file, {
  onConnect: (connection) => {
    const exec = connection.exec.bind(connection);
    connection.exec = (sql) => {
      left -= 1;
      if (left === 0) die();
      return exec(sql);
    };
  },
});

serve({
  open: async () => {
    await store.open({ runtime: systemRuntime() });
    await store.ping();
    await store.close();
  },
});
