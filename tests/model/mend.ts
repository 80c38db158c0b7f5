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

/** A loop's counter counts; all else gives a plain value. */
export function answer(driver: Driver, { scripts }: Program, pointer: number): Input {
  const { attempt, node, data } = attemptOf(driver.current, driver.state, pointer);
  const counter = scripts.get(node.id)?.counter;
  const value = counter === undefined ? 0 : Number(data[counter] ?? 0) + 1;
  return { kind: "attempt-returned", pointer, attempt, value };
}

/** Everything goes well from here on: bodies return, events and children come, time passes. */
export async function mend(driver: Driver): Promise<void> {
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
