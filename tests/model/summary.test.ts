import { expect, it } from "vitest";
import {
  decodeEntries,
  decodeState,
  emptySummary,
  encodeEntries,
  evolveTurn,
  forkState,
  initialState,
  isFinal,
  shownSteps,
  summarize,
  type Entry,
  type StepStatus,
  type StepSummary,
  type WorkflowState,
} from "../../packages/core/src/engine/index.ts";
import { readFacts } from "../../packages/core/src/engine/failures.ts";
import { encodeState } from "../../packages/core/src/engine/records.ts";
import { rootPointer, type Pointer } from "../../packages/core/src/engine/state.ts";
import { Driver } from "../../packages/core/test/engine/driver.ts";
import { histories } from "./histories.ts";
import { answer, mend } from "./mend.ts";

const runs = Number(process.env["WFE_MODEL_RUNS"] ?? 100);
const seed = Number(process.env["WFE_MODEL_SEED"] ?? 11);

it(
  `shows what is live as live, and nothing else, after every turn of ${runs} random workflows (seed ${seed})`,
  async () => {
    const seen = { turns: 0, retried: 0, forked: 0 };
    for (const { driver, program, turns } of histories(runs, seed)) {
      driver.attempt = (id) => Promise.resolve(answer(driver, program, id));
      // The workflow itself is no step to go back to.
      const opened = [...readFacts(turns).opened.values()].filter(({ pointer }) => pointer !== rootPointer);
      for (let times = 0; times < 3; times++) {
        const { phase, stuckUndo } = driver.state;
        if ((phase !== "failed" && phase !== "terminated") || stuckUndo !== null) break;
        const at = times === 0 ? undefined : opened[(times * 7 + turns.length) % opened.length];
        const retry = { kind: "retry", ...(at === undefined ? {} : { from: at.step }) } as const;
        if (driver.deliver(retry).refused === undefined) seen.retried++;
        await mend(driver);
      }
      const some = turns.slice(0, Math.ceil(turns.length * 0.7));
      const entries = forkState(some, { ...driver.state.identity, id: "fork", uid: "fork" }, undefined);
      if (!("refused" in entries)) {
        seen.forked++;
        const fork = new Driver(driver.definition);
        fork.now = driver.now;
        fork.state = evolveTurn(initialState(), { seq: 0, entries });
        fork.journal.push({ seq: 0, text: encodeEntries(entries) });
        fork.attempt = (id) => Promise.resolve(answer(fork, program, id));
        await mend(fork);
        follow(journalOf(fork));
      }
      seen.turns += follow(journalOf(driver));
    }
    expect(seen.turns).toBeGreaterThan(runs);
    expect(seen.retried, JSON.stringify(seen)).toBeGreaterThan(runs / 10);
    expect(seen.forked, JSON.stringify(seen)).toBeGreaterThan(runs / 10);
  },
  60_000 + 300 * runs,
);

interface ReadTurn {
  readonly seq: number;
  readonly entries: readonly Entry[];
}

function journalOf({ journal }: Driver): readonly ReadTurn[] {
  return journal.map(({ seq, text }) => ({ seq, entries: decodeEntries(text) }));
}

/** Gives the number of turns. */
function follow(turns: readonly ReadTurn[]): number {
  let state = initialState();
  let summary: StepSummary = emptySummary();
  /** By step: the pointer that something happened to last. */
  const newest = new Map<string, number>();
  for (const turn of turns) {
    state = evolveTurn(state, turn);
    for (const entry of turn.entries) {
      summarize(summary, entry);
      note(newest, entry);
    }
    // As one that goes on from a checkpoint has it.
    ({ summary } = decodeState(encodeState(state, summary)));
    if (!isFinal(state)) judge(state, summary, newest, JSON.stringify(turn.entries));
  }
  return turns.length;
}

function note(newest: Map<string, number>, entry: Entry): void {
  if (entry.kind === "workflow-retried" || entry.kind === "workflow-forked") {
    for (const { step, id } of entry.state.pointers.values())
      if (id > (newest.get(step) ?? -1) || !entry.state.pointers.has(newest.get(step) ?? -1)) newest.set(step, id);
  } else if (entry.kind === "undo-completed") newest.delete(entry.undoneStep);
  else if (entry.kind.startsWith("step-") && "pointer" in entry && "step" in entry)
    newest.set(entry.step, entry.pointer);
  else if (
    /^(?:scope-opened|saga-restarted|timer-set|event-awaited|wait-timed-out|child-started|child-awaited)/u.test(
      entry.kind,
    ) &&
    "step" in entry
  )
    newest.set(entry.step, "pointer" in entry ? entry.pointer : -1);
}

const going: ReadonlySet<StepStatus> = new Set(["running", "sleeping", "waiting"]);

function judge(state: WorkflowState, summary: StepSummary, newest: ReadonlyMap<string, number>, story: string): void {
  const shown = new Map(shownSteps(summary, state).map((step) => [step.id, step]));
  const live = new Set<string>();
  for (const pointer of state.pointers.values()) {
    if (pointer.id === rootPointer) continue;
    live.add(pointer.step);
    if (newest.get(pointer.step) !== pointer.id) continue;
    const step = shown.get(pointer.step);
    expect([step?.id, step?.status], story).toEqual([pointer.step, statusOf(pointer)]);
    const isNewest = summary.get(pointer.step)?.pointer === pointer.id;
    if (pointer.status === "ready" && isNewest)
      expect([step?.id, step?.attempt], story).toEqual([pointer.step, pointer.attempt]);
  }
  for (const { id, status } of shown.values()) if (going.has(status)) expect(live, `${id}: ${story}`).toContain(id);
}

/** What a person would say of it. */
function statusOf({ status, ending, scope }: Pointer): StepStatus | undefined {
  switch (status) {
    case "sleeping":
    case "waiting":
      return status;
    case "held":
      return "failed";
    case "hook":
      if (ending === null || scope?.walk != null) return "running";
      return ending.kind === "terminated" ? "cancelled" : ending.kind;
    case "ready":
    case "open":
    case "undoing":
      return "running";
  }
}
