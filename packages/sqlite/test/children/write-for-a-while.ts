// Writes into a store for some time, one small transaction after another, and prints how much it has written.
import { systemRuntime } from "@wfe/core/providers";
import { sqlite } from "../../src/index.ts";

const [file, place, forMs] = process.argv.slice(2).map((arg) => JSON.parse(arg) as unknown) as [string, number, number];
const runtime = systemRuntime();
const provider = sqlite(file);
await provider.open({ runtime });
const store = provider.persistence;
if (store === undefined) throw new Error("no persistence");

let workflows = 0;
let events = 0;
const end = performance.now() + forMs;
while (performance.now() < end) {
  const [created] = await store.create([
    {
      namespace: "default",
      id: `${place}-${workflows}`,
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
  if (created?.created !== true) throw new Error("was there already");
  workflows += 1;
  const results = await store.commit(
    Array.from({ length: 5 }, (_, seq) => ({
      run: created.run,
      claim: 0,
      seq,
      turn: runtime.randomId(),
      host: "host",
      entriesText: "[]",
      namespace: "default",
    })),
  );
  if (results.some(({ outcome }) => outcome !== "applied")) throw new Error("was not applied");
  const eventId = runtime.randomId();
  await store.publish([{ namespace: "default", name: "e", key: "k", eventId, payloadText: "", effectiveAt: null }]);
  events += 1;
  await store.find("default", [`${place}-0`]);
}
console.log(JSON.stringify({ workflows, events }));
await provider.close();
