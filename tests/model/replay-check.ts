import { expect } from "vitest";
import {
  decodeEntries,
  decodeState,
  emptySummary,
  encodeEntries,
  evolveTurn,
  initialState,
  type WorkflowState,
} from "../../packages/core/src/engine/index.ts";
import { encodeState } from "../../packages/core/src/engine/records.ts";
import { replayTurns } from "../../packages/core/src/engine/replay.ts";
import { histories, type Lived } from "./histories.ts";

/**
 * Lives random workflows to their ends. Of each, the state at every seq must be the one that the engine had then, from the beginning
 * and from a checkpoint; and deciding it again with its own definition must find no difference. Gives the number of turns.
 */
export function checkHistories(runs: number, seed: number): number {
  const different: string[] = [];
  let turns = 0;
  for (const lived of histories(runs, seed)) {
    turns += lived.turns.length;
    checkStates(lived);
    for (const { seq, reason, recorded, now } of replayTurns(lived.program.definition, lived.turns))
      different.push(`${seq}: ${reason}\n${JSON.stringify(recorded)}\n${JSON.stringify(now)}`);
  }
  expect(different).toEqual([]);
  return turns;
}

function checkStates({ turns, states }: Lived): void {
  let folded = initialState();
  const middle = Math.floor(turns.length / 2);
  let resumed: WorkflowState | undefined;
  for (const [index, { seq, entries }] of turns.entries()) {
    const stored = { seq, entries: decodeEntries(encodeEntries(entries)) };
    folded = evolveTurn(folded, stored);
    if (resumed !== undefined) resumed = evolveTurn(resumed, stored);
    if (index === middle) resumed = decodeState(encodeState(folded, emptySummary())).state;
    const had = readable(states[index]);
    for (const state of [folded, resumed])
      if (state !== undefined && readable(state) !== had) expect(readable(state), `turn ${seq}`).toBe(had);
  }
}

function readable(state: WorkflowState | undefined): string {
  return JSON.stringify(state, (_, value: unknown) =>
    value instanceof Map ? [...value] : typeof value === "bigint" ? String(value) : value,
  );
}
