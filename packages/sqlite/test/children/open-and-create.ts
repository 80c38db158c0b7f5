// Opens a store, which may not be there yet, and starts a workflow in it.
import { systemRuntime } from "@wfe/core/providers";
import { sqlite } from "../../src/index.ts";

const file = JSON.parse(process.argv[2] ?? "") as string;
const runtime = systemRuntime();
const provider = sqlite(file);
await provider.open({ runtime });
await provider.persistence?.create([
  {
    namespace: "default",
    id: runtime.randomId(),
    uid: runtime.randomId(),
    definitionId: "order",
    version: 1,
    definitionHash: "hash",
    priority: 0,
    tags: [],
    startAt: null,
    startText: "{}",
    parent: null,
    firstTurn: null,
  },
]);
console.log("created");
await provider.close();
