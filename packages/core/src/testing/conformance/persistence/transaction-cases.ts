import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import type { Awaitable, TransactionalTurn, TurnCommit } from "../../../providers/index.ts";
import { InvalidOptionError } from "../../../providers/index.ts";
import type { PersistenceSuite, TransactionsHarness } from "./suite.ts";

/** Cases for stores whose transactions a step or a caller can join. */
export function transactionCases({ harness, describe, it }: PersistenceSuite): void {
  const transactions = harness.transactions;
  if (transactions === undefined) return;

  describe("commit: transactional steps", () => {
    it("stores what the body writes together with its turn", async (stage) => {
      const held = await stage.hold();
      deepStrictEqual(await stage.store.commit([writing(transactions, stage.turn(held, 0), "paid")]), [
        { outcome: "applied", rowWritten: false, signals: held.row.signals, behind: false },
      ]);
      deepStrictEqual(await transactions.words(stage.open.provider), ["paid"]);
      strictEqual((await stage.store.turns(held.run, { from: 0, limit: 9 })).length, 1);
    });

    it("undoes what a body has written that throws, and stores no turn", async (stage) => {
      const held = await stage.hold();
      const thrown = new Error("no money");
      const turn = writing(transactions, stage.turn(held, 0), "paid", () => {
        throw thrown;
      });
      const [result] = await stage.store.commit([turn]);
      ok(result?.outcome === "body-failed");
      strictEqual(result.error, thrown);
      deepStrictEqual(await transactions.words(stage.open.provider), []);
      deepStrictEqual(await stage.store.turns(held.run, { from: 0, limit: 9 }), []);
    });

    it("undoes what a body has written whose seq is taken", async (stage) => {
      const held = await stage.hold();
      await stage.apply(stage.turn(held, 0, { turn: "lost" }));
      const results = await stage.store.commit([writing(transactions, stage.turn(held, 0), "paid")]);
      deepStrictEqual(results, [{ outcome: "conflict", turn: "lost" }]);
      deepStrictEqual(await transactions.words(stage.open.provider), []);
    });

    it("undoes what a body has written whose turn meets a hole", async (stage) => {
      const held = await stage.hold();
      const results = await stage.store.commit([writing(transactions, stage.turn(held, 4), "paid")]);
      deepStrictEqual(results, [{ outcome: "hole" }]);
      deepStrictEqual(await transactions.words(stage.open.provider), []);
    });

    it("does all that goes with the turn", async (stage) => {
      const held = await stage.hold();
      const target = await stage.sleeping();
      const turn = stage.turn(held, 0, {
        deliver: [stage.delivery(target.run)],
        create: [stage.workflow({ id: "child" })],
        row: stage.row(),
      });
      const [result] = await stage.store.commit([writing(transactions, turn, "paid")]);
      ok(result?.outcome === "applied" && result.rowWritten);
      await stage.takeWoken(target.run);
      ok((await stage.store.find("default", ["child"]))[0]);
    });

    it("judges bodies and plain turns of one batch each alone", async (stage) => {
      const held = await stage.holdMany(5);
      const turns = held.map((one) => stage.turn(one, 0));
      const results = await stage.store.commit(
        turns.map((turn, place) => {
          if (place % 2 === 0) return writing(transactions, turn, `word-${place}`);
          if (place === 1) return turn;
          return writing(transactions, turn, `word-${place}`, () => {
            throw new Error("no");
          });
        }),
      );
      deepStrictEqual(
        results.map(({ outcome }) => outcome),
        ["applied", "applied", "applied", "body-failed", "applied"],
      );
      deepStrictEqual([...(await transactions.words(stage.open.provider))].sort(), ["word-0", "word-2", "word-4"]);
    });

    it("stores the writes of exactly one of several bodies for one seq", async (stage) => {
      const held = await stage.hold();
      const results = await Promise.all(
        ["a", "b", "c"].map((word) => stage.store.commit([writing(transactions, stage.turn(held, 0), word)])),
      );
      strictEqual(results.flat().filter(({ outcome }) => outcome === "applied").length, 1);
      strictEqual((await transactions.words(stage.open.provider)).length, 1);
    });
  });

  describe("createIn and publishIn", () => {
    it("store with the caller's transaction", async (stage) => {
      const { createIn, publishIn } = stage.store;
      ok(createIn && publishIn, "the store offers both");
      const held = await stage.hold();
      const subscribe = [{ pointer: 1, name: "paid", key: "o-1", after: 0 }];
      await stage.apply(stage.turn(held, 0, { subscribe, row: stage.row() }));
      const workflow = stage.workflow({ id: "with tx" });
      await transactions.run(stage.open.provider, (tx) =>
        inTurn([
          () => transactions.write(tx, "paid"),
          () => createIn.call(stage.store, tx, [workflow]),
          () => publishIn.call(stage.store, tx, [stage.event({ payloadText: "with tx" })]),
        ]),
      );
      deepStrictEqual(await transactions.words(stage.open.provider), ["paid"]);
      await stage.advanceEvents();
      deepStrictEqual(await stage.payloads(), ["with tx"]);
      await stage.takeWoken(held.run);
      deepStrictEqual(
        (await stage.claim()).map(({ row }) => row.id),
        ["with tx"],
      );
    });

    it("store nothing where the caller's transaction is undone", async (stage) => {
      const { createIn, publishIn } = stage.store;
      ok(createIn && publishIn, "the store offers both");
      const event = stage.event();
      await rejects(
        transactions.run(stage.open.provider, (tx) =>
          inTurn([
            () => createIn.call(stage.store, tx, [stage.workflow({ id: "undone" })]),
            () => publishIn.call(stage.store, tx, [event]),
            () => {
              throw new Error("undone");
            },
          ]),
        ),
        /undone/,
      );
      await stage.advanceEvents();
      deepStrictEqual(await stage.store.find("default", ["undone"]), [undefined]);
      deepStrictEqual(await stage.payloads(), []);
      deepStrictEqual(await stage.store.publish([event]), [{ number: 1, duplicate: false }]);
    });

    it("describe the workflow that has the id already", async (stage) => {
      const { createIn } = stage.store;
      ok(createIn, "the store offers it");
      const run = await stage.start({ id: "taken" });
      let described: unknown;
      await transactions.run(stage.open.provider, (tx) =>
        after(createIn.call(stage.store, tx, [stage.workflow({ id: "taken" })]), ([created]) => {
          described = [created?.created, created?.run];
        }),
      );
      deepStrictEqual(described, [false, run]);
    });

    it("store an event id once", async (stage) => {
      const { publishIn } = stage.store;
      ok(publishIn, "the store offers it");
      const event = stage.event();
      for (let time = 0; time < 2; time += 1) {
        await transactions.run(stage.open.provider, (tx) =>
          after(publishIn.call(stage.store, tx, [event]), () => undefined),
        );
      }
      await stage.advanceEvents();
      await stage.store.publish([event]);
      await stage.advanceEvents();
      strictEqual((await stage.payloads()).length, 1);
    });

    it("refuse what is no transaction", async (stage) => {
      const { createIn, publishIn } = stage.store;
      ok(createIn && publishIn, "the store offers both");
      for (const tx of [undefined, null, {}, "tx"]) {
        await rejects(async () => createIn.call(stage.store, tx, [stage.workflow()]), InvalidOptionError);
        await rejects(async () => publishIn.call(stage.store, tx, [stage.event()]), InvalidOptionError);
      }
    });
  });
}

/** A transactional step's turn whose body writes a word, and then does what it is told. */
function writing(
  transactions: TransactionsHarness,
  turn: TurnCommit,
  word: string,
  then: () => void = () => undefined,
): TransactionalTurn {
  const execute = (tx: unknown): Awaitable<TurnCommit> =>
    after(transactions.write(tx, word), () => {
      then();
      return turn;
    });
  return { run: turn.run, seq: turn.seq, execute };
}

/** Goes on at once after what is there at once: a synchronous driver takes no promise. */
function after<A, B>(value: Awaitable<A>, then: (value: A) => Awaitable<B>): Awaitable<B> {
  return value instanceof Promise ? value.then(then) : then(value);
}

function inTurn(steps: readonly (() => Awaitable<unknown>)[]): Awaitable<void> {
  return steps.reduce<Awaitable<void>>(
    (before, step) => after(before, () => after(step(), () => undefined)),
    undefined,
  );
}
