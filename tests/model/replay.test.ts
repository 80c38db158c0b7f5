import { expect, it } from "vitest";
import { workflow } from "../../packages/core/src/index.ts";
import { decodeEntries } from "../../packages/core/src/engine/index.ts";
import { replayTurns } from "../../packages/core/src/engine/replay.ts";
import { Driver } from "../../packages/core/test/engine/driver.ts";
import { checkHistories } from "./replay-check.ts";

const runs = Number(process.env["WFE_MODEL_RUNS"] ?? 200);
const seed = Number(process.env["WFE_MODEL_SEED"] ?? 1);

it(
  `travels to every seq of ${runs} random workflows, and finds nothing else when they are decided again (seed ${seed})`,
  () => {
    expect(checkHistories(runs, seed)).toBeGreaterThan(runs);
  },
  60_000 + 300 * runs,
);

it("finds no difference where a workflow that is being undone is told again to end", async () => {
  const definition = workflow()
    .then(() => undefined)
    .compensateWith(() => undefined)
    .waitFor("never", () => "x")
    .build("ends", 1);
  const driver = new Driver(definition).start();
  await driver.run();
  driver.deliver({ kind: "terminate", compensate: true });
  driver.deliver({ kind: "terminate", compensate: true });
  await driver.run();
  expect(driver.state.phase).toBe("terminated");
  const turns = driver.journal.map(({ seq, text }) => ({ seq, at: driver.now, entries: decodeEntries(text) }));
  expect(replayTurns(definition, turns)).toEqual([]);
});
