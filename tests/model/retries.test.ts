import { expect, it } from "vitest";
import {
  attemptOf,
  awaitedStreams,
  isFinal,
  journalNeeded,
  nextDueAt,
  readyPointers,
  wantsContinue,
  type Input,
} from "../../packages/core/src/engine/index.ts";
import type { Driver } from "../../packages/core/test/engine/driver.ts";
import type { Program } from "./generate.ts";
import { histories } from "./histories.ts";

const runs = Number(process.env["WFE_MODEL_RUNS"] ?? 100);
const seed = Number(process.env["WFE_MODEL_SEED"] ?? 3);

it(
  `comes to an end, or waits for a person, whatever failed and was retried: ${runs} random workflows (seed ${seed})`,
  async () => {
    let retried = 0;
    for (const { driver, program } of histories(runs, seed)) {
      driver.attempt = (id) => Promise.resolve(answer(driver, program, id));
      for (let times = 0; times < 3 && isRetryable(driver); times++) {
        const before = driver.journal.length;
        const { refused } = driver.deliver({ kind: "retry" });
        if (refused !== undefined) break;
        retried++;
        await mend(driver);
        const { phase } = driver.state;
        // For an event that nobody can publish yet it may wait.
        if (phase === "active" && awaitedStreams(driver.state).length === 0) {
          const since = driver.journal.slice(before).map(({ text }) => text);
          expect(phase, `stands still after:\n${since.join("\n")}`).toBe("at an end");
        }
      }
    }
    expect(retried).toBeGreaterThan(runs / 20);
  },
  60_000 + 300 * runs,
);

/** A loop's counter counts; all else gives a plain value. */
function answer(driver: Driver, { scripts }: Program, pointer: number): Input {
  const { attempt, node, data } = attemptOf(driver.current, driver.state, pointer);
  const counter = scripts.get(node.id)?.counter;
  const value = counter === undefined ? 0 : Number(data[counter] ?? 0) + 1;
  return { kind: "attempt-returned", pointer, attempt, value };
}

function isRetryable({ state }: Driver): boolean {
  return (state.phase === "failed" || state.phase === "terminated") && state.stuckUndo === null;
}

/** Everything goes well from here on: bodies return, events and children come, time passes. */
async function mend(driver: Driver): Promise<void> {
  for (let rounds = 0; rounds < 2_000; rounds++) {
    await driver.run({ time: false });
    const { state } = driver;
    if (isFinal(state) || state.phase === "suspended") return;
    const moves = wantsContinue(state, 3) || journalNeeded(state).length > 0 || readyPointers(state).length > 0;
    if (moves) continue;
    const streams = awaitedStreams(state);
    for (const { name, key } of streams) driver.publish(name, key, rounds);
    if (streams.length > 0 && driver.readEvents()) continue;
    const child = [...state.pointers.values()].find((one) => one.child !== null && one.status === "waiting");
    const stopped = [...state.stragglers.values()].find(({ until, ended }) => until === null && !ended);
    if (child?.child != null || stopped !== undefined) {
      const pointer = child?.id ?? stopped?.pointer ?? -1;
      driver.deliver({ kind: "child-ended", pointer, childId: child?.child?.id ?? "", status: "completed", data: {} });
      continue;
    }
    const due = nextDueAt(state);
    if (due === null) return;
    driver.now = Math.max(driver.now, due);
    driver.feed({ kind: "due" });
  }
}
