import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { CommitResult, TurnCommit } from "../../../providers/index.ts";
import { hostileTexts, unholdableTexts } from "./hostile.ts";
import type { Held, Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

export function commitCases({ describe, it }: PersistenceSuite): void {
  describe("commit: the journal", () => {
    it("appends a turn and gives it back", async (stage) => {
      const held = await stage.hold();
      await stage.clock.advance(10);
      await stage.apply(stage.turn(held, 0, { turn: "t0", host: "host-1", entriesText: '[{"kind":"x"}]' }));
      deepStrictEqual(await stage.store.turns(held.run, { from: 0, limit: 10 }), [
        { seq: 0, turn: "t0", at: stage.clock.now(), host: "host-1", entriesText: '[{"kind":"x"}]' },
      ]);
    });

    it("answers with the row's signals, and with no due time where the row stays", async (stage) => {
      const held = await stage.hold();
      const expected = { outcome: "applied", rowWritten: false, signals: held.row.signals, behind: false };
      deepStrictEqual(await stage.commit(stage.turn(held, 0)), expected);
      await stage.deliver(held.run);
      const { signals } = await stage.rowOf(held.run);
      ok(signals > held.row.signals);
      strictEqual((await stage.apply(stage.turn(held, 1))).signals, signals);
    });

    it("appends one turn after the other", async (stage) => {
      const held = await stage.hold();
      await stage.journal(held, 20);
      const turns = await stage.store.turns(held.run, { from: 0, limit: 100 });
      deepStrictEqual(
        turns.map(({ seq, entriesText }) => [seq, entriesText]),
        Array.from({ length: 20 }, (_, seq) => [seq, `[${seq}]`]),
      );
    });

    for (const [kind, text] of Object.entries(hostileTexts)) {
      it(`gives back ${kind} as entries, state and host`, async (stage) => {
        const held = await stage.hold();
        await stage.apply(stage.turn(held, 0));
        await stage.apply(
          stage.turn(held, 1, {
            entriesText: text,
            host: `h${text}`,
            turn: `t${text}`,
            checkpoint: { seq: 0, stateText: text },
          }),
        );
        const [loaded] = await stage.store.load([held.run]);
        deepStrictEqual(loaded?.checkpoint, { seq: 0, stateText: text });
        deepStrictEqual(
          loaded.turns.map(({ entriesText, host, turn }) => [entriesText, host, turn]),
          [[text, `h${text}`, `t${text}`]],
        );
      });
    }

    for (const [kind, text] of Object.entries(unholdableTexts)) {
      it(`keeps ${kind} whole, or refuses that turn alone and stores its neighbours`, async (stage) => {
        const held = await stage.holdMany(3);
        const turns = held.map((one, place) => stage.turn(one, 0, place === 1 ? { entriesText: text } : {}));
        const results = await stage.store.commit(turns);
        deepStrictEqual([results[0]?.outcome, results[2]?.outcome], ["applied", "applied"]);
        const stored = await stage.store.turns(held[1]?.run ?? -1, { from: 0, limit: 10 });
        if (results[1]?.outcome === "failed") {
          ok(results[1].error instanceof Error);
          deepStrictEqual(stored, []);
        } else {
          strictEqual(results[1]?.outcome, "applied");
          deepStrictEqual(
            stored.map(({ entriesText }) => entriesText),
            [text],
          );
        }
      });
    }

    it("keeps entries of one megabyte", async (stage) => {
      const held = await stage.hold();
      const entriesText = JSON.stringify("é".repeat(500_000));
      await stage.apply(stage.turn(held, 0, { entriesText }));
      strictEqual((await stage.store.turns(held.run, { from: 0, limit: 1 }))[0]?.entriesText, entriesText);
    });

    it("refuses a turn whose predecessor is missing, as a hole", async (stage) => {
      const held = await stage.hold();
      deepStrictEqual(await stage.commit(stage.turn(held, 1)), { outcome: "hole" });
      await stage.journal(held, 2);
      deepStrictEqual(await stage.commit(stage.turn(held, 3)), { outcome: "hole" });
      strictEqual((await stage.store.turns(held.run, { from: 0, limit: 10 })).length, 2);
    });

    it("refuses a first turn whose workflow is missing, as a hole", async (stage) => {
      deepStrictEqual(await stage.commit(stage.turn({ run: 999_999, claim: 1 }, 0)), { outcome: "hole" });
    });

    it("refuses a turn at a seq that is taken, and names the turn that has it", async (stage) => {
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { turn: "theirs" }));
      await stage.apply(stage.turn(held, 1));
      deepStrictEqual(await stage.commit(stage.turn(held, 0, { turn: "ours" })), {
        outcome: "conflict",
        turn: "theirs",
      });
      const [stored] = await stage.store.turns(held.run, { from: 0, limit: 1 });
      strictEqual(stored?.turn, "theirs");
    });

    it("answers a repeated turn with its own id, and changes nothing", async (stage) => {
      const { turn, world } = await eventful(stage);
      await stage.apply(turn);
      const before = await world();
      deepStrictEqual(await stage.commit(turn), { outcome: "conflict", turn: turn.turn });
      deepStrictEqual(await stage.commit(turn), { outcome: "conflict", turn: turn.turn });
      deepStrictEqual(await world(), before);
    });

    it("does nothing else of a turn that conflicts", async (stage) => {
      const { turn, world } = await eventful(stage);
      await stage.apply(stage.turn(turn, 0));
      const before = await world();
      strictEqual((await stage.commit(turn)).outcome, "conflict");
      deepStrictEqual(await world(), before);
    });

    it("does nothing else of a turn that meets a hole", async (stage) => {
      const { turn, world } = await eventful(stage);
      const before = await world();
      strictEqual((await stage.commit({ ...turn, seq: 5 })).outcome, "hole");
      deepStrictEqual(await world(), before);
    });

    it("lets exactly one of two writers at one seq win", async (stage) => {
      const held = await stage.hold();
      for (let seq = 0; seq < 25; seq += 1) {
        const results = await Promise.all([0, 1].map(() => stage.commit(stage.turn(held, seq))));
        await assertOneWinner(stage, held, seq, results);
      }
    });

    it("lets exactly one of five writers at one seq win, in batches of many workflows", async (stage) => {
      const held = await stage.holdMany(40);
      const answers = await Promise.all(
        Array.from({ length: 5 }, () => stage.store.commit(held.map((one) => stage.turn(one, 0)))),
      );
      for (const [place, one] of held.entries()) {
        const results = answers.map((answer) => answer[place]).filter((result) => result !== undefined);
        await assertOneWinner(stage, one, 0, results);
      }
    });

    it("applies a batch of 100 in its order", async (stage) => {
      const held = await stage.holdMany(100);
      const results = await stage.store.commit(
        held.map((one, place) => stage.turn(one, 0, { entriesText: `${place}` })),
      );
      ok(results.every(({ outcome }) => outcome === "applied"));
      for (const [place, one] of held.entries()) {
        const [turn] = await stage.store.turns(one.run, { from: 0, limit: 1 });
        strictEqual(turn?.entriesText, `${place}`);
      }
    });

    it("judges each item of a batch alone", async (stage) => {
      const held = await stage.holdMany(5);
      const [a, b, c, d, e] = held as [Held, Held, Held, Held, Held];
      await stage.apply(stage.turn(b, 0, { turn: "taken" }));
      const results = await stage.store.commit([
        stage.turn(a, 0),
        stage.turn(b, 0),
        stage.turn(c, 3),
        stage.turn({ run: 999_999, claim: 1 }, 0),
        stage.turn(d, 0, { row: stage.row() }),
        stage.turn({ ...e, claim: e.claim + 1 }, 0, { row: stage.row() }),
      ]);
      deepStrictEqual(
        results.map((result) => [result.outcome, "rowWritten" in result ? result.rowWritten : undefined]),
        [
          ["applied", false],
          ["conflict", undefined],
          ["hole", undefined],
          ["hole", undefined],
          ["applied", true],
          ["applied", false],
        ],
      );
      for (const { run } of [a, d, e]) strictEqual((await stage.store.turns(run, { from: 0, limit: 9 })).length, 1);
      strictEqual((await stage.store.turns(c.run, { from: 0, limit: 9 })).length, 0);
    });

    it("does nothing for an empty batch", async (stage) => {
      deepStrictEqual(await stage.store.commit([]), []);
    });

    it("appends the turn of a zombie where nobody was faster, without its row", async (stage) => {
      const zombie = await stage.hold({}, { lease: "dead" });
      await stage.store.orphan(["dead"], 10);
      const before = await stage.rowOf(zombie.run);
      const result = await stage.apply(stage.turn(zombie, 0, { row: stage.row({ status: "completed" }) }));
      strictEqual(result.rowWritten, false);
      ok(!("dueAt" in result) || result.dueAt === undefined, "no due time is told where none was given");
      deepStrictEqual(await stage.rowOf(zombie.run), before);
    });

    it("fences a zombie by the turn of whoever took over", async (stage) => {
      const zombie = await stage.hold({}, { lease: "dead" });
      await stage.store.orphan(["dead"], 10);
      const heir = await stage.take(zombie.run, { lease: "heir" });
      await stage.apply(stage.turn(heir, 0, { turn: "taken-over" }));
      deepStrictEqual(await stage.commit(stage.turn(zombie, 0)), { outcome: "conflict", turn: "taken-over" });
    });
  });
}

async function assertOneWinner(stage: Stage, held: Held, seq: number, results: readonly CommitResult[]): Promise<void> {
  strictEqual(results.filter(({ outcome }) => outcome === "applied").length, 1);
  const [stored] = await stage.store.turns(held.run, { from: seq, limit: 1 });
  for (const result of results) {
    if (result.outcome !== "applied") deepStrictEqual(result, { outcome: "conflict", turn: stored?.turn });
  }
}

/** A turn for seq 0 that does everything a turn can do, and a look at all that it would change. */
async function eventful(stage: Stage): Promise<{ turn: TurnCommit; world: () => Promise<unknown> }> {
  const other = await stage.sleeping({ id: "other" });
  const held = await stage.hold();
  const number = await stage.deliver(held.run, { keepOutcome: true });
  const turn = stage.turn(held, 0, {
    subscribe: [{ pointer: 1, name: "paid", key: "o-1", after: 0 }],
    unsubscribe: [2],
    read: [{ number, outcome: "applied", reason: null }],
    row: stage.row({ status: "completed", completedAt: stage.clock.now(), resultText: "{}", notedSignals: 1_000 }),
    checkpoint: { seq: 0, stateText: "state" },
    create: [stage.workflow({ id: "child" })],
    deliver: [stage.delivery(other.run)],
  });
  const world = async (): Promise<unknown> => [
    await stage.store.load([held.run, other.run]),
    await stage.store.find("default", ["child"]),
    await stage.store.count({ namespace: "default" }),
    await stage.store.pull([held.run, other.run].map((run) => ({ run, namespace: "default", streams: [] }))),
    await stage.store.deliveryOutcomes([{ run: held.run, number }]),
    await stage.store.owned("lease"),
  ];
  return { turn, world };
}
