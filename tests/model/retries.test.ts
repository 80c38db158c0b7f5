import { expect, it } from "vitest";
import {
  awaitedStreams,
  decodeEntries,
  encodeEntries,
  evolveTurn,
  forkState,
  initialState,
  isFinal,
  type Entry,
} from "../../packages/core/src/engine/index.ts";
import { indexesAround, isOpening, readFacts, type ReadTurn } from "../../packages/core/src/engine/failures.ts";
import { rootPointer } from "../../packages/core/src/engine/state.ts";
import { Driver } from "../../packages/core/test/engine/driver.ts";
import type { Program } from "./generate.ts";
import { histories } from "./histories.ts";
import { answer, mend } from "./mend.ts";

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
        atRest(driver, before);
      }
    }
    expect(retried).toBeGreaterThan(runs / 20);
  },
  60_000 + 300 * runs,
);

it(
  `goes back to any step, or says why not, and forks from any turn: ${runs / 2} random workflows (seed ${seed + 1})`,
  async () => {
    const outcomes = { retried: 0, refused: 0, forked: 0 };
    for (const { driver, program, turns } of histories(runs / 2, seed + 1)) {
      driver.attempt = (id) => Promise.resolve(answer(driver, program, id));
      await forkAnywhere(driver, program, turns, outcomes);
      const opened = [...readFacts(turns).opened.values()];
      for (let times = 0; times < 3 && isRetryable(driver) && opened.length > 0; times++) {
        const at = opened[(times * 7 + turns.length) % opened.length];
        if (at === undefined) continue;
        const item = times === 1 && at.indexes.length > 0 ? { item: at.indexes } : {};
        const before = driver.journal.length;
        if (driver.deliver({ kind: "retry", from: at.step, ...item }).refused !== undefined) {
          outcomes.refused++;
          continue;
        }
        outcomes.retried++;
        await mend(driver);
        atRest(driver, before);
      }
    }
    expect(outcomes.retried, JSON.stringify(outcomes)).toBeGreaterThan(runs / 40);
    expect(outcomes.forked, JSON.stringify(outcomes)).toBeGreaterThan(runs / 4);
  },
  60_000 + 300 * runs,
);

it(
  `skips any step, or says why not, and what was skipped does not run: ${runs} random workflows (seed ${seed + 2})`,
  async () => {
    const outcomes = { ended: 0, live: 0, refused: 0 };
    for (const { driver, program, turns, states } of histories(runs, seed + 2)) {
      driver.attempt = (id) => Promise.resolve(answer(driver, program, id));
      const opened = [...readFacts(turns).opened.values()];
      for (let times = 0; times < 3 && opened.length > 0 && driver.state.phase === "failed"; times++) {
        const at = opened.at(times === 0 ? -1 : (times * 7 + turns.length) % opened.length);
        if (at !== undefined) outcomes[await skipped(driver, at.step, at.indexes)]++;
      }
      const [before, state] = [...states.entries()].findLast(([seq]) => seq <= turns.length / 2) ?? [];
      if (before === undefined || state === undefined || isFinal(state)) continue;
      const live = [...state.pointers.values()].filter(({ id }) => id !== rootPointer);
      const midway = (): Driver => {
        const one = new Driver(driver.definition, driver.definitions.slice(1));
        one.now = turns[before]?.at ?? driver.now;
        one.state = state;
        for (const { seq, entries } of turns.slice(0, before + 1))
          one.journal.push({ seq, text: encodeEntries(entries) });
        one.attempt = (id) => Promise.resolve(answer(one, program, id));
        return one;
      };
      for (const { step, branch } of live) outcomes[await skipped(midway(), step, indexesAround(state, branch))]++;
    }
    expect(outcomes.ended, JSON.stringify(outcomes)).toBeGreaterThan(runs / 20);
    expect(outcomes.live, JSON.stringify(outcomes)).toBeGreaterThan(runs / 20);
  },
  60_000 + 300 * runs,
);

async function skipped(driver: Driver, stepId: string, item: readonly number[]): Promise<"ended" | "live" | "refused"> {
  const before = driver.journal.length;
  const { phase } = driver.state;
  if (driver.deliver({ kind: "skip-step", stepId, item, output: {} }).refused !== undefined) return "refused";
  const since = (): readonly Entry[] => driver.journal.slice(before).flatMap(({ text }) => decodeEntries(text));
  const story = JSON.stringify(since());
  const end = since().find(
    (entry) =>
      entry.kind === "step-skipped" ||
      (entry.kind === "scope-ending" && entry.ending.kind === "completed" && entry.ending.skipped !== undefined),
  );
  expect(end, story).toMatchObject({ step: stepId });
  if (phase === "suspended" && driver.state.phase === "suspended") driver.deliver({ kind: "resume" });
  await mend(driver);
  atRest(driver, before);
  const { pointer } = end as Extract<Entry, { kind: "step-skipped" }>;
  const ran = since().filter(
    (entry) => "pointer" in entry && entry.pointer === pointer && (isOpening(entry) || entry.kind === "step-completed"),
  );
  expect(ran, story).toEqual([]);
  return phase === "failed" ? "ended" : "live";
}

/** From a few turns of it. A fork never needs a turn of the original: only what it has done itself is undone in it. */
async function forkAnywhere(
  driver: Driver,
  program: Program,
  turns: readonly ReadTurn[],
  outcomes: { forked: number },
): Promise<void> {
  const step = Math.max(1, Math.floor(turns.length / 3));
  for (let at = turns.length % step; at < turns.length; at += step) {
    const entries = forkState(turns.slice(0, at + 1), { ...driver.state.identity, id: "fork", uid: "fork" }, undefined);
    if ("refused" in entries) {
      expect(entries.refused).toMatch(/fork it at \d+, the nearest turn before|no earlier one/u);
      continue;
    }
    outcomes.forked++;
    const fork = new Driver(driver.definition, driver.definitions.slice(1));
    fork.now = driver.now;
    fork.state = evolveTurn(initialState(), { seq: 0, entries });
    fork.journal.push({ seq: 0, text: encodeEntries(entries) });
    fork.attempt = (id) => Promise.resolve(answer(fork, program, id));
    await mend(fork);
    atRest(fork, 0);
    expect(fork.state.error?.message ?? "").not.toContain("journal is damaged");
  }
}

/** For an event that nobody can publish yet it may wait. */
function atRest(driver: Driver, before: number): void {
  const { phase } = driver.state;
  if (phase !== "active" || awaitedStreams(driver.state).length > 0) return;
  const since = driver.journal.slice(before).map(({ text }) => text);
  expect(phase, `stands still after:\n${since.join("\n")}`).toBe("at an end");
}

function isRetryable({ state }: Driver): boolean {
  return (state.phase === "failed" || state.phase === "terminated") && state.stuckUndo === null;
}
