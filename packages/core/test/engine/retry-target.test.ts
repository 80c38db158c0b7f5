import { describe, expect, it } from "vitest";
import { workflow, type WorkflowDefinition } from "../../src/index.ts";
import { Driver } from "./driver.ts";

interface Bench {
  readonly ran: string[];
  broken: boolean;
}

async function failed(definition: WorkflowDefinition, bench: Bench): Promise<Driver> {
  const driver = new Driver(definition).start();
  expect(await driver.run({ time: true })).toMatchObject({ phase: "failed" });
  bench.ran.length = 0;
  bench.broken = false;
  return driver;
}

describe("a retry from a step that has not failed", () => {
  const items = (bench: Bench, bad: readonly number[]): WorkflowDefinition =>
    workflow()
      .forEach(
        () => [0, 1, 2, 3],
        (b) =>
          b
            .then((_, at) => void bench.ran.push(`fetch ${at.index}`))
            .id("fetch")
            .then((_, at) => {
              bench.ran.push(`pay ${at.index}`);
              if (bench.broken && bad.includes(at.index)) throw new Error("declined");
            })
            .id("pay"),
        { onFailure: "wait" },
      )
      .build("w", 1);

  it("is one in the item that failed, and leaves the others done", async () => {
    const bench: Bench = { ran: [], broken: true };
    const driver = await failed(items(bench, [1]), bench);
    expect(driver.deliver({ kind: "retry", from: "fetch" })).toEqual({});
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran).toEqual(["fetch 1", "pay 1"]);
  });

  it("is one in each of the items that failed", async () => {
    const bench: Bench = { ran: [], broken: true };
    const driver = await failed(items(bench, [0, 2]), bench);
    expect(driver.deliver({ kind: "retry", from: "fetch" })).toEqual({});
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran.toSorted()).toEqual(["fetch 0", "fetch 2", "pay 0", "pay 2"]);
  });

  it("is refused where it ran for several items and none of them failed; one can be named", async () => {
    const bench: Bench = { ran: [], broken: true };
    const definition = workflow()
      .forEach(
        () => [0, 1],
        (b) => b.then((_, at) => void bench.ran.push(`pack ${at.index}`)).id("pack"),
      )
      .then(() => {
        if (bench.broken) throw new Error("no van");
      })
      .build("w", 1);
    const driver = await failed(definition, bench);
    expect(driver.deliver({ kind: "retry", from: "pack" }).refused).toContain("ran for 2 items (0, 1)");
    expect(driver.deliver({ kind: "retry", from: "pack", item: [0] })).toEqual({});
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran).toEqual(["pack 0"]);
  });

  it("is in the last iteration of a loop", async () => {
    const bench: Bench = { ran: [], broken: true };
    const definition = workflow()
      .whileDo(
        (_, at) => at.index < 3,
        (b) => b.then((_, at) => void bench.ran.push(`turn ${at.index}`)).id("turn"),
      )
      .then(() => {
        if (bench.broken) throw new Error("no");
      })
      .build("w", 1);
    const driver = await failed(definition, bench);
    expect(driver.deliver({ kind: "retry", from: "turn" })).toEqual({});
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran).toEqual(["turn 2"]);
  });

  it("is in the outer item whose inner one failed", async () => {
    const bench: Bench = { ran: [], broken: true };
    const definition = workflow()
      .forEach(
        () => ["a", "b"],
        (b) =>
          b
            .then((_, at) => void bench.ran.push(`open ${at.index}`))
            .id("open")
            .forEach(
              (_, at) => [`${String(at.item)}0`, `${String(at.item)}1`],
              (c) =>
                c.then((_, at) => {
                  bench.ran.push(`pack ${at.item}`);
                  if (bench.broken && at.item === "a1") throw new Error("no");
                }),
              { concurrency: 1 },
            ),
        { onFailure: "wait" },
      )
      .build("w", 1);
    const driver = await failed(definition, bench);
    expect(driver.deliver({ kind: "retry", from: "open" })).toEqual({});
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran).toEqual(["open 0", "pack a0", "pack a1"]);
  });

  it("is refused in a hook, which would run for nothing", async () => {
    const bench: Bench = { ran: [], broken: true };
    const definition = workflow()
      .then(() => {
        throw new Error("no");
      })
      .id("pay")
      .onFailure((b) => b.then(() => void bench.ran.push("tell")).id("tell"))
      .ensure((b) => b.then(() => void bench.ran.push("free")).id("free"))
      .build("w", 1);
    const driver = await failed(definition, bench);
    expect(driver.deliver({ kind: "retry", from: "tell" }).refused).toContain("`onFailure` of `pay`");
    expect(driver.deliver({ kind: "retry", from: "free" }).refused).toContain("`ensure` of `pay`");
    expect(bench.ran).toEqual([]);
  });

  it("goes back to a step of a hook that has failed itself", async () => {
    const bench: Bench = { ran: [], broken: true };
    const definition = workflow()
      .then(() => void bench.ran.push("pay"))
      .ensure((b) =>
        b
          .then(() => {
            bench.ran.push("free");
            if (bench.broken) throw new Error("no");
          })
          .id("free"),
      )
      .build("w", 1);
    const driver = await failed(definition, bench);
    expect(driver.deliver({ kind: "retry", from: "free" })).toEqual({});
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran).toEqual(["free"]);
  });
});

describe("a retry from a node of a graph", () => {
  const graph = (bench: Bench): WorkflowDefinition => {
    let price = 0;
    return workflow<{ price: number; tax: number; sum: string }>()
      .graph((g) =>
        g
          .node("stock", () => void bench.ran.push("stock"))
          .node("price", () => {
            bench.ran.push("price");
            return ++price;
          })
          .node(
            "tax",
            ({ of }: { of: number }) => {
              bench.ran.push("tax");
              return of * 10;
            },
            { needs: ["price"], input: (data: { price: number }) => ({ of: data.price }) },
          )
          .node(
            "sum",
            ({ of, tax }: { of: number; tax: number }) => {
              bench.ran.push("sum");
              if (bench.broken) throw new Error("bad price");
              return `${of}/${tax}`;
            },
            {
              needs: ["price", "tax"],
              input: (data: { price: number; tax: number }) => ({ of: data.price, tax: data.tax }),
            },
          ),
      )
      .id("g")
      .then(() => void bench.ran.push("after"))
      .build("w", 1);
  };

  it("takes back what needs it, and nothing else", async () => {
    const bench: Bench = { ran: [], broken: true };
    const driver = await failed(graph(bench), bench);
    expect(driver.deliver({ kind: "retry", from: "price" })).toEqual({});
    const state = await driver.run();
    expect(state.phase).toBe("completed");
    expect(bench.ran).toEqual(["price", "tax", "sum", "after"]);
    expect(state.data).toMatchObject({ price: 2, tax: 20, sum: "2/20" });
  });

  it("does so once more, after a retry of it", async () => {
    const bench: Bench = { ran: [], broken: true };
    const driver = await failed(graph(bench), bench);
    bench.broken = true;
    driver.deliver({ kind: "retry", from: "price" });
    expect((await driver.run()).phase).toBe("failed");
    bench.broken = false;
    bench.ran.length = 0;
    expect(driver.deliver({ kind: "retry", from: "price" })).toEqual({});
    const state = await driver.run();
    expect(state.phase).toBe("completed");
    expect(bench.ran).toEqual(["price", "tax", "sum", "after"]);
    expect(state.data).toMatchObject({ price: 3, tax: 30, sum: "3/30" });
  });

  it("begins with the one in the middle, and keeps what that needs", async () => {
    const bench: Bench = { ran: [], broken: true };
    const driver = await failed(graph(bench), bench);
    driver.deliver({ kind: "retry", from: "tax" });
    const state = await driver.run();
    expect(bench.ran).toEqual(["tax", "sum", "after"]);
    expect(state.data).toMatchObject({ price: 1, tax: 10, sum: "1/10" });
  });

  it("takes them back also where the graph has ended well and something after it failed", async () => {
    const bench: Bench = { ran: [], broken: true };
    const definition = workflow()
      .graph((g) =>
        g
          .node("a", () => void bench.ran.push("a"))
          .node("b", () => void bench.ran.push("b"), { needs: ["a"] })
          .node("c", () => void bench.ran.push("c")),
      )
      .then(() => {
        if (bench.broken) throw new Error("no");
      })
      .build("w", 1);
    const driver = await failed(definition, bench);
    driver.deliver({ kind: "retry", from: "a" });
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran).toEqual(["a", "b"]);
  });

  it("takes back what an error holds, and what is under way, one after the other too", async () => {
    const bench: Bench = { ran: [], broken: true };
    const note = (name: string) => () => void bench.ran.push(name);
    const definition = workflow()
      .graph(
        (g) =>
          g
            .node("a", note("a"))
            .node("b", note("b"), { needs: ["a"] })
            .node(
              "c",
              () => {
                bench.ran.push("c");
                if (bench.broken) throw new Error("no");
              },
              { needs: ["b"] },
            )
            .onError("suspend")
            .node("d", note("d"), { needs: ["a"] })
            .node("e", note("e")),
        { concurrency: 1 },
      )
      .build("w", 1);
    const driver = new Driver(definition).start();
    const only = (step: string): boolean => step !== "d" && step !== "e";
    expect((await driver.run({ only })).phase).toBe("suspended");
    bench.broken = false;
    bench.ran.length = 0;
    expect(driver.deliver({ kind: "retry", from: "a" })).toEqual({});
    expect((await driver.run()).phase).toBe("completed");
    expect(bench.ran.toSorted()).toEqual(["a", "b", "c", "d", "e"]);
    expect(bench.ran.slice(0, 1)).toEqual(["a"]);
  });

  it("does not undo what was taken back", async () => {
    const bench: Bench = { ran: [], broken: true };
    const definition = workflow()
      .graph((g) =>
        g
          .node("a", () => void bench.ran.push("a"))
          .node("b", () => void bench.ran.push("b"), { needs: ["a"] })
          .compensateWith(() => void bench.ran.push("-b"))
          .node("c", () => void bench.ran.push("c"), { needs: ["b"] }),
      )
      .then(() => {
        if (bench.broken) throw new Error("no");
      })
      .onError("suspend")
      .then(() => {
        throw new Error("later");
      })
      .build("w", 1);
    const driver = new Driver(definition).start();
    expect((await driver.run()).phase).toBe("suspended");
    bench.ran.length = 0;
    bench.broken = false;
    expect(driver.deliver({ kind: "retry", from: "a" })).toEqual({});
    expect((await driver.run()).phase).toBe("failed");
    expect(bench.ran).toEqual(["a", "b", "c", "-b"]);
  });
});
