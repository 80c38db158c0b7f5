// Commits turns of twenty workflows, a flush after the other, and prints what was acknowledged.
import { systemRuntime } from "@wfe/core/providers";
import { sqlite } from "../../src/index.ts";

const file = JSON.parse(process.argv[2] ?? "") as string;
const runtime = systemRuntime();
const provider = sqlite(file);
await provider.open({ runtime });
const store = provider.persistence;
if (store === undefined) throw new Error("no persistence");

const created = await store.create(
  Array.from({ length: 20 }, () => ({
    namespace: "default",
    id: runtime.randomId(),
    uid: runtime.randomId(),
    definitionId: "order",
    version: 1,
    definitionHash: "hash",
    priority: 0,
    tags: ["killed"],
    startAt: null,
    startText: "{}",
    parent: null,
    firstTurn: null,
  })),
);
for (let seq = 0; ; seq += 1) {
  const turns = created.map(({ run }) => ({
    run,
    claim: 0,
    seq,
    turn: runtime.randomId(),
    host: "host",
    entriesText: "x".repeat(300),
    namespace: "default",
    deliver: [{ deliveryId: runtime.randomId(), to: run, kind: "k", bodyText: "", keepOutcome: false, exempt: true }],
  }));
  const results = await store.commit(turns);
  if (results.some(({ outcome }) => outcome !== "applied")) throw new Error("was not applied");
  console.log(JSON.stringify(turns.map(({ run }) => ({ run, seq }))));
  // So that what was printed is out before the kill.
  await new Promise((resolve) => setImmediate(resolve));
}
