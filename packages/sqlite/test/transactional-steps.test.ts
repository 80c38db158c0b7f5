import type { TransactionalTurn, TurnCommit } from "@wfe/core/providers";
import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import { inTransaction } from "../src/index.ts";
import { connect, open, row, temporaryFile, turn, workflow } from "./stage.ts";

type Body = (db: Database.Database) => unknown;

/** A transactional step's turn: what the body gives is not asked for. */
function step(item: TurnCommit, body: Body): TransactionalTurn {
  return {
    run: item.run,
    seq: item.seq,
    execute: (tx) => {
      const result = body(tx as Database.Database);
      return result instanceof Promise ? result.then(() => item) : item;
    },
  };
}

const write =
  (word: string): Body =>
  (db) =>
    void db.prepare("INSERT INTO words VALUES (?)").run(word);

async function scene() {
  const file = temporaryFile();
  const application = connect(file);
  application.exec(`
    CREATE TABLE words (word TEXT UNIQUE);
    CREATE TABLE stock (held INTEGER);
    CREATE TRIGGER sold_out BEFORE INSERT ON stock WHEN new.held > 10 BEGIN SELECT RAISE(ROLLBACK, 'sold out'); END;
  `);
  const stage = await open(file);
  const words = (): unknown[] => application.prepare("SELECT word FROM words ORDER BY rowid").pluck().all();
  const length = async (run: number): Promise<number> => (await stage.store.turns(run, { from: 0, limit: 99 })).length;
  return { ...stage, file, application, words, length };
}

describe("a body that ends the transaction", () => {
  const endings: Record<string, Body> = {
    COMMIT: (db) => db.exec("COMMIT"),
    ROLLBACK: (db) => db.exec("ROLLBACK"),
    "COMMIT, prepared, after a comment": (db) => db.prepare("/* done */ -- and over\n commit").run(),
    "COMMIT, past the guard": (db) => Database.prototype.exec.call(db, "COMMIT"),
    "close()": (db) => db.close(),
    "close(), past the guard": (db) => Database.prototype.close.call(db),
    "COMMIT and BEGIN": (db) => db.exec("COMMIT; BEGIN IMMEDIATE"),
    "ROLLBACK and BEGIN": (db) => db.exec("ROLLBACK; BEGIN"),
    "INSERT OR ROLLBACK": (db) => db.exec("INSERT OR ROLLBACK INTO words VALUES ('here already')"),
    "RAISE(ROLLBACK)": (db) => db.exec("INSERT INTO stock VALUES (11)"),
    "RAISE(ROLLBACK), caught": (db) => {
      try {
        db.exec("INSERT INTO stock VALUES (11)");
      } catch {
        // As some code does.
      }
    },
  };

  it.for(Object.entries(endings))("fails alone: %s", async ([, body]) => {
    const { store, hold, words, length, application } = await scene();
    application.exec("INSERT INTO words VALUES ('here already')");
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = await hold(5);
    const results = await store.commit([
      turn(a, 0),
      step(turn(b, 0), write("before")),
      step(turn(c, 0), body),
      step(turn(d, 0), write("after")),
      turn(e, 0, { row: row() }),
    ]);
    expect(results[2]?.outcome).toBe("body-failed");
    expect(await length(c)).toBe(0);
    // A body that commits cannot be undone, so the turns before it are told that they are there already: by their own ids.
    for (const place of [0, 1, 3, 4]) expect(results[place]?.outcome).toMatch(/applied|conflict/);
    for (const run of [a, b, d, e]) expect(await length(run)).toBe(1);
    expect(words()).toEqual(["here already", "before", "after"]);
  });

  it("hears the reason", async () => {
    const { store, hold, words } = await scene();
    const reasons = {
      COMMIT: /leave COMMIT and ROLLBACK out of it; to undo what it wrote, throw/,
      "COMMIT, past the guard": /What it wrote before a COMMIT is stored, its result is not: mend that/,
      "close()": /leave `tx.close\(\)` out of it/,
      "close(), past the guard": /closed the connection/,
      "RAISE(ROLLBACK)": /^sold out$/,
    };
    const runs = await hold(Object.keys(reasons).length);
    const results = await store.commit(
      Object.keys(reasons).map((ending, place) =>
        step(turn(runs[place] ?? 0, 0), (db) => {
          write(ending)(db);
          (endings[ending] as Body)(db);
        }),
      ),
    );
    expect(results).toMatchObject(
      Object.values(reasons).map((reason) => ({
        outcome: "body-failed",
        error: { message: expect.stringMatching(reason) },
      })),
    );
    expect(words()).toEqual(["COMMIT, past the guard"]);
  });

  it("is told from one that undoes a part of what it wrote, or says so in other words", async () => {
    const { store, hold, words } = await scene();
    const [run = 0] = await hold(1);
    const results = await store.commit([
      step(turn(run, 0), (db) => {
        db.exec("SAVEPOINT mine; INSERT INTO words VALUES ('undone'); ROLLBACK TRANSACTION TO mine; RELEASE mine");
        db.exec("CREATE TRIGGER again AFTER INSERT ON words BEGIN UPDATE stock SET held = held + 1; END;");
        db.exec("INSERT INTO words VALUES ('first; COMMIT; then')");
        db.transaction(() => db.exec("INSERT INTO words VALUES ('nested')"))();
      }),
    ]);
    expect(results).toMatchObject([{ outcome: "applied" }]);
    expect(words()).toEqual(["first; COMMIT; then", "nested"]);
  });
});

describe("bodies", () => {
  it("run again with the flush, and write once", async () => {
    const { store, hold, words } = await scene();
    const runs = await hold(12);
    const results = await store.commit(
      runs.map((run, place) =>
        step(turn(run, 0), place % 4 === 3 ? (db) => db.exec("ROLLBACK") : write(`word ${place}`)),
      ),
    );
    expect(results.map(({ outcome }) => outcome)).toEqual(
      runs.map((_, place) => (place % 4 === 3 ? "body-failed" : "applied")),
    );
    expect(words()).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10].map((place) => `word ${place}`));
  });

  it("are not called where the place in the journal is taken", async () => {
    const { store, hold, words } = await scene();
    const [run = 0] = await hold(1);
    await store.commit([turn(run, 0, { turn: "first" })]);
    expect(await store.commit([step(turn(run, 0), write("never")), step(turn(run, 5), write("never"))])).toEqual([
      { outcome: "conflict", turn: "first" },
      { outcome: "hole" },
    ]);
    expect(words()).toEqual([]);
  });

  it("are synchronous: a promise is refused, and nobody has to catch it", async () => {
    const { store, hold, words } = await scene();
    const [a = 0, b = 0] = await hold(2);
    const results = await store.commit([
      step(turn(a, 0), async (db) => {
        write("half")(db);
        await Promise.resolve();
        throw new Error("nobody listens");
      }),
      step(turn(b, 0), write("whole")),
    ]);
    expect(results).toMatchObject([
      { outcome: "body-failed", error: { message: expect.stringMatching(/must be synchronous/) } },
      { outcome: "applied" },
    ]);
    expect(words()).toEqual(["whole"]);
  });

  it("may call the store meanwhile, whose answer comes after the flush", async () => {
    const { store, hold, words } = await scene();
    const [run = 0] = await hold(1);
    const asked: Promise<unknown>[] = [];
    const results = await store.commit([
      step(turn(run, 0), (db) => {
        write("word")(db);
        asked.push(store.create([workflow({ id: "asked" })]), store.find("default", ["asked"]), store.owners());
      }),
    ]);
    expect(results).toMatchObject([{ outcome: "applied" }]);
    expect(await Promise.all(asked)).toMatchObject([[{ created: true }], [{ id: "asked" }], ["lease-1"]]);
    expect(words()).toEqual(["word"]);
  });

  it("may start workflows in their transaction, which are told of when it is committed", async () => {
    const { store, hold, claim } = await scene();
    const [a = 0, b = 0] = await hold(2);
    const hints: unknown[] = [];
    store.hints((hint) => hints.push(hint));
    await store.commit([
      step(turn(a, 0), (db) => void store.createIn?.(db, [workflow({ id: "child" })])),
      step(turn(b, 0), (db) => {
        void store.createIn?.(db, [workflow({ id: "undone" })]);
        throw new Error("no");
      }),
    ]);
    await expect.poll(() => hints.length).toBeGreaterThan(0);
    expect((await claim()).map((claimed) => claimed.row.id)).toEqual(["child"]);
    expect(hints[0]).toMatchObject({ runs: expect.arrayContaining([3]) });
  });

  it("may leave an iterator open, and fail for it alone", async () => {
    const { store, hold, words, application, length } = await scene();
    application.exec("INSERT INTO words VALUES ('a'), ('b'), ('c')");
    const [a = 0, b = 0, c = 0] = await hold(3);
    const iterators: unknown[] = [];
    const results = await store.commit([
      step(turn(a, 0), write("before")),
      step(turn(b, 0), (db) => {
        const iterator = db.prepare("SELECT word FROM words").iterate();
        iterator.next();
        iterators.push(iterator);
      }),
      step(turn(c, 0), write("after")),
    ]);
    expect(results).toMatchObject([
      { outcome: "applied" },
      { outcome: "body-failed", error: { message: expect.stringMatching(/iterator/) } },
      { outcome: "applied" },
    ]);
    expect(await length(b)).toBe(0);
    expect(words()).toEqual(["a", "b", "c", "before", "after"]);
    expect(await store.commit([turn(b, 0)])).toMatchObject([{ outcome: "applied" }]);
  });

  it("see the connection as the application wants it", async () => {
    const file = temporaryFile();
    const { store, hold } = await open(file, {
      onConnect: (db) => void db.function("shout", (word: unknown) => String(word).toUpperCase()),
    });
    const [run = 0] = await hold(1);
    let heard: unknown;
    await store.commit([step(turn(run, 0), (db) => void (heard = db.prepare("SELECT shout('hey')").pluck().get()))]);
    expect(heard).toBe("HEY");
  });
});

describe("inTransaction", () => {
  it("makes a step that is marked, and gets the transaction", () => {
    const made = inTransaction((input: { readonly id: string }, { tx }) => [input.id, tx]);
    expect(Reflect.get(made, Symbol.for("wfe.transactional-step"))).toBe(true);
    const tx = {};
    expect(Reflect.apply(made, undefined, [{ id: "o-1" }, { tx }])).toEqual(["o-1", tx]);
  });

  it("says what is missing where there is no transaction", () => {
    const made = inTransaction(() => 1);
    expect(() => Reflect.apply(made, undefined, [{}, {}]) as unknown).toThrow(/sqlite\(\)/);
    expect(() => inTransaction(undefined as never)).toThrow(/a function/);
  });
});
