import { describe, expect, it } from "vitest";
import { workflow, type WorkflowDefinition } from "../../src/index.ts";
import { decodeEntries, evolveTurn, forkState, initialState, type Entry } from "../../src/engine/index.ts";
import { readFacts, type ReadTurn } from "../../src/engine/failures.ts";
import { Driver, log } from "./driver.ts";

function turnsOf(driver: Driver): readonly ReadTurn[] {
  return driver.journal.map(({ seq, text }) => ({ seq, entries: decodeEntries(text) }));
}

/** A fork after that turn, run to its end; or why there is none. */
async function fork(definition: WorkflowDefinition, driver: Driver, at: number): Promise<Driver | string> {
  const turns = turnsOf(driver).slice(0, at + 1);
  const entries = forkState(turns, { ...driver.state.identity, id: "fork", uid: "uid1" }, undefined);
  if ("refused" in entries) return entries.refused;
  const forked = new Driver(definition);
  forked.state = evolveTurn(initialState(), { seq: 0, entries });
  forked.journal.push({ seq: 0, text: "[]" });
  await forked.run({ time: true });
  return forked;
}

describe("a fork of a workflow that undid", () => {
  it("is refused from where undoing was under way, with the nearest turn that can be forked; no compensation runs twice", async () => {
    const { ran, step } = log();
    let broken = true;
    const definition = workflow()
      .then(step("book"))
      .compensateWith(step("-book"))
      .then(step("mid"))
      .compensateWith(step("-mid"))
      .then(() => {
        if (broken) throw new Error("declined");
      })
      .build("w", 1);
    const driver = new Driver(definition).start();
    expect((await driver.run()).phase).toBe("failed");
    const undoing = driver.journal.findIndex(({ text }) => text.includes('"undo-started"'));
    expect(undoing).toBeGreaterThan(0);
    expect(driver.journal.length).toBeGreaterThan(undoing + 2);
    ran.length = 0;
    broken = false;
    for (let at = undoing; at < driver.journal.length; at++) {
      const refused = await fork(definition, driver, at);
      expect(refused).toContain(`fork it at ${undoing - 1}`);
      expect(refused).toMatch(/being undone|ended/u);
    }
    expect(readFacts(turnsOf(driver)).forkAt).toBe(undoing - 1);
    expect(await fork(definition, driver, undoing - 1)).toMatchObject({ state: { phase: "completed" } });
    expect(ran).toEqual([]);
  });

  it("is refused while one step is undone alone, and goes on from where that is over", async () => {
    const { ran, step } = log();
    const definition = workflow()
      .then(() => {
        throw new Error("half done");
      })
      .onError("compensate")
      .compensateWithSequence((b) => b.then(step("-a1")).then(step("-a2")))
      .then(step("after"))
      .build("w", 1);
    const driver = new Driver(definition).start();
    expect(await driver.run()).toMatchObject({ phase: "completed" });
    const outcomes = await Promise.all(driver.journal.map((_, at) => fork(definition, driver, at)));
    const refused = outcomes.map((one) => typeof one === "string");
    expect(refused).toEqual([false, true, true, false, true]);
    expect(ran.filter((name) => name === "-a2")).toHaveLength(2);
  });

  it("takes along neither undo records of the original nor those to be passed over", async () => {
    const { step } = log();
    const definition = workflow()
      .saga((s) => s.then(step("a")).compensateWith(step("-a")).waitFor("go", "k"))
      .build("w", 1);
    const driver = new Driver(definition).start();
    await driver.run();
    const { data, pointers, branches, lines, nextId, stragglers } = driver.state;
    const passing = [...pointers.values()].map((pointer) =>
      pointer.kind === "saga" && pointer.scope !== null
        ? { ...pointer, scope: { ...pointer.scope, void: [{ seq: 0, index: 1 }] } }
        : pointer,
    );
    const state = { data, branches, lines, nextId, stragglers, pointers: new Map(passing.map((one) => [one.id, one])) };
    const turns = [...turnsOf(driver), { seq: 2, entries: [{ kind: "workflow-retried", from: "", state } as const] }];
    const entries = forkState(turns, { ...driver.state.identity, id: "fork", uid: "uid1" }, undefined);
    const [forked] = Array.isArray(entries) ? (entries as readonly Entry[]) : [];
    if (forked?.kind !== "workflow-forked") throw new Error("no fork");
    const scopes = [...forked.state.pointers.values()].flatMap(({ scope }) => scope ?? []);
    expect(scopes.map((scope) => [scope.undo, scope.void])).toEqual([
      [null, undefined],
      [null, undefined],
    ]);
  });
});
