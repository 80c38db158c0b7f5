import { describe, expect, it } from "vitest";
import { event } from "../../src/builder/event.ts";
import { retry } from "../../src/builder/retry.ts";
import { workflow } from "../../src/builder/workflow.ts";
import { ExecutionResult } from "../../src/definition/execution-result.ts";
import { begin, bill, onlyNode, pack, ship, untyped } from "./steps.ts";

class Reserve {
  run(): number {
    return 1;
  }
}
class ReserveByField {
  run = (): number => 1;
}

describe("a step", () => {
  it("has its body, its name and its id", () => {
    expect(onlyNode(begin.then(pack).build("w", 1))).toEqual({
      kind: "step",
      id: "pack",
      name: "pack",
      body: pack,
      isClass: false,
    });
  });

  it("is a class where its instances have run", () => {
    expect(onlyNode(begin.startWith(Reserve).build("w", 1))).toMatchObject({
      body: Reserve,
      isClass: true,
      name: "Reserve",
    });
    expect(onlyNode(begin.then(ReserveByField).build("w", 1))).toMatchObject({ isClass: true });
    expect(onlyNode(begin.thenFn(() => 1).build("w", 1))).toMatchObject({ isClass: false, name: "step" });
  });

  it("has an input map where one is given", () => {
    const input = (data: { n: number }): number => data.n;
    expect(onlyNode(begin.then((n: number) => n, input).build("w", 1))).toMatchObject({ input });
  });

  it("takes every modifier", () => {
    const condition = (): boolean => true;
    const definition = begin
      .then(pack)
      .as("packed")
      .name("Pack it")
      .id("pack-it")
      .onError(retry({ interval: "5s", maxRetries: 7, backoff: 2, maxInterval: "1m", jitter: true, then: "suspend" }))
      .timeout("30s")
      .compensateWith(ship)
      .onFailure((b) => b.then(bill).delay("1s"))
      .ensure((b) => b.then(bill))
      .onCrash("suspend")
      .cancelWhen(condition, { proceed: true })
      .build("w", 1);
    expect(onlyNode(definition)).toEqual({
      kind: "step",
      id: "pack-it",
      name: "Pack it",
      body: pack,
      isClass: false,
      as: "packed",
      onError: {
        kind: "retry",
        intervalMs: 5000,
        maxRetries: 7,
        backoff: 2,
        maxIntervalMs: 60_000,
        jitter: true,
        then: "suspend",
      },
      timeoutMs: 30_000,
      compensation: {
        nodes: [{ kind: "step", id: "pack-it/compensation", name: "ship", body: ship, isClass: false }],
      },
      onFailure: {
        nodes: [
          { kind: "step", id: "bill", name: "bill", body: bill, isClass: false },
          { kind: "delay", id: "delay", name: "delay", duration: 1000 },
        ],
      },
      ensure: { nodes: [{ kind: "step", id: "pack-it/bill", name: "bill", body: bill, isClass: false }] },
      onCrash: "suspend",
      cancelWhen: { condition, proceed: true },
    });
  });

  it("keeps its output map, and the input of its compensation", () => {
    const patch = (): object => ({ x: 1 });
    const input = (): number => 1;
    const node = onlyNode(
      begin
        .then(pack)
        .output(patch)
        .compensateWith((n: number) => n, input)
        .build("w", 1),
    );
    expect(node).toMatchObject({ output: patch, compensation: { nodes: [{ input }] } });
  });
});

describe("a branch", () => {
  it("is chosen by a condition", () => {
    const condition = (): boolean => true;
    const node = onlyNode(
      begin
        .ifDo(
          condition,
          (b) => b.then(pack),
          (b) => b.then(ship),
        )
        .build("w", 1),
    );
    expect(node).toMatchObject({
      kind: "if",
      id: "if",
      condition,
      then: { nodes: [{ id: "pack" }] },
      otherwise: { nodes: [{ id: "ship" }] },
    });
    expect(onlyNode(begin.ifDo(condition, (b) => b.then(pack)).build("w", 1))).not.toHaveProperty("otherwise");
  });

  it("is chosen by the text of a value", () => {
    const value = (data: { n: number }): number => data.n;
    const node = onlyNode(
      begin.decide(value, { 2: (b) => b.then(pack), "-1": (b) => b, default: (b) => b.then(ship) }).build("w", 1),
    );
    if (node.kind !== "decide") throw new Error("not a decide");
    expect(node.value).toBe(value);
    expect([...node.cases].map(([text, block]) => [text, block.nodes.map(({ id }) => id)])).toEqual([
      ["2", ["pack"]],
      ["-1", []],
    ]);
    expect(node.otherwise?.nodes).toHaveLength(1);
  });

  it("is chosen by the outcome of the step before", () => {
    const definition = begin
      .then(() => ExecutionResult.outcome(true))
      .decide({ true: (b) => b.then(pack) })
      .build("w", 1);
    expect(definition.body.nodes[1]).not.toHaveProperty("value");
    expect(definition.body.nodes[1]).not.toHaveProperty("otherwise");
  });
});

describe("a loop", () => {
  it("has its condition before its body, or after it", () => {
    const condition = (): boolean => false;
    expect(onlyNode(begin.whileDo(condition, (b) => b.then(pack)).build("w", 1))).toMatchObject({
      kind: "while",
      condition,
      body: { nodes: [{ id: "pack" }] },
    });
    expect(onlyNode(begin.doWhile((b) => b.then(pack), condition).build("w", 1))).toMatchObject({
      kind: "do-while",
      condition,
    });
  });

  it("over items takes sixteen at a time, and cancels the others when one fails, unless told otherwise", () => {
    const items = (data: { items: string[] }): string[] => data.items;
    expect(onlyNode(begin.forEach(items, (b) => b.then(pack)).build("w", 1))).toEqual({
      kind: "for-each",
      id: "for-each",
      name: "for-each",
      items,
      body: { nodes: [expect.objectContaining({ id: "pack" })] },
      concurrency: 16,
      onBranchFailure: "cancel",
    });
    const options = { concurrency: 1, as: "packed", onFailure: "wait" } as const;
    expect(onlyNode(begin.forEach(items, (b) => b.then(pack), options).build("w", 1))).toMatchObject({
      concurrency: 1,
      as: "packed",
      onBranchFailure: "wait",
    });
  });
});

describe("a join", () => {
  it("waits for branches", () => {
    const node = onlyNode(
      begin
        .parallel((p) => p.branch((b) => b.then(pack)).branch((b) => b.then(ship).then(bill)), { onFailure: "wait" })
        .build("w", 1),
    );
    expect(node).toMatchObject({
      kind: "parallel",
      branches: [{ nodes: [{ id: "pack" }] }, { nodes: [{ id: "ship" }, { id: "bill" }] }],
      onBranchFailure: "wait",
    });
  });

  it("waits for nodes of a graph, whose outputs go to their ids", () => {
    const node = onlyNode(
      begin
        .graph(
          (g) =>
            g
              .node("a", pack)
              .node("b", ship, { needs: ["a"] })
              .timeout("1s")
              .name("Second")
              .node("c", (n: number) => n, { needs: ["a", "b"], input: (data) => data.a }),
          {
            concurrency: 2,
          },
        )
        .build("w", 1),
    );
    expect(node).toMatchObject({
      kind: "graph",
      concurrency: 2,
      onBranchFailure: "cancel",
      vertices: [
        { node: { kind: "step", id: "a", name: "a", as: "a", body: pack }, needs: [] },
        { node: { id: "b", name: "Second", as: "b", timeoutMs: 1000 }, needs: ["a"] },
        { node: { id: "c", as: "c", input: expect.any(Function) }, needs: ["a", "b"] },
      ],
    });
    expect(onlyNode(begin.graph((g) => g.node("a", pack)).build("w", 1))).toMatchObject({ concurrency: Infinity });
  });

  it("waits for a saga", () => {
    const node = onlyNode(
      begin
        .saga((b) => b.then(pack).compensateWith(ship))
        .as("trip")
        .onError("ignore")
        .timeout("1h")
        .build("w", 1),
    );
    expect(node).toMatchObject({
      kind: "saga",
      as: "trip",
      onError: "ignore",
      timeoutMs: 3_600_000,
      body: { nodes: [{ compensation: { nodes: [{ id: "pack/compensation" }] } }] },
    });
  });
});

describe("a wait", () => {
  const approved = event<{ by: string }>("order.approved");
  const rejected = event("order.rejected");

  it("is for an event of a name and a key, since the start of the workflow", () => {
    const key = (data: { n: number }): string => String(data.n);
    expect(onlyNode(begin.waitFor(approved, key).as("approval").build("w", 1))).toEqual({
      kind: "wait",
      id: "wait",
      name: "wait",
      as: "approval",
      mode: "one",
      events: [{ label: "", name: "order.approved", key }],
      asOf: "start",
    });
    expect(onlyNode(begin.waitFor("by name", "").build("w", 1))).toMatchObject({
      events: [{ name: "by name", key: "" }],
    });
  });

  it("has a time-out with what runs then, reminders, and a date", () => {
    const date = new Date("2026-01-01");
    const timeout = (): number => 5;
    const node = onlyNode(
      begin
        .waitFor(approved, "k", {
          timeout,
          onTimeout: (b) => b.then(ship),
          remind: { every: "1d", do: (b) => b.then(pack) },
          asOf: date,
        })
        .build("w", 1),
    );
    expect(node).toMatchObject({
      timeout,
      onTimeout: { nodes: [{ id: "ship" }] },
      remind: { every: 86_400_000, do: { nodes: [{ id: "pack" }] } },
      asOf: date,
    });
    date.setFullYear(1970);
    expect(node).toMatchObject({ asOf: new Date("2026-01-01") });
  });

  it("may go on after its time-out with nothing done", () => {
    expect(onlyNode(begin.waitFor(approved, "k", { timeout: 0, onTimeout: (b) => b }).build("w", 1))).toMatchObject({
      timeout: 0,
      onTimeout: { nodes: [] },
    });
  });

  it("is for any or all of several, each with its own key if it has one", () => {
    const key = (): string => "own";
    expect(
      onlyNode(begin.waitForAny({ approved, rejected: { event: "order.rejected", key } }, "common").build("w", 1)),
    ).toMatchObject({
      mode: "any",
      events: [
        { label: "approved", name: "order.approved", key: "common" },
        { label: "rejected", name: "order.rejected", key },
      ],
    });
    expect(onlyNode(begin.waitForAll({ approved, rejected }, "k").build("w", 1))).toMatchObject({ mode: "all" });
  });

  it("keeps the schema of an event", () => {
    const schema = {
      "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value: value as string }) },
    } as const;
    expect(onlyNode(begin.waitFor(event("e", schema), "k").build("w", 1))).toMatchObject({ events: [{ schema }] });
  });
});

describe("a timer", () => {
  it("takes a value or a function", () => {
    const duration = (): number => 5;
    const date = new Date("2030-01-01");
    expect(onlyNode(begin.delay("2h").build("w", 1))).toMatchObject({ kind: "delay", duration: 7_200_000 });
    expect(onlyNode(begin.delay(duration).build("w", 1))).toMatchObject({ duration });
    expect(onlyNode(begin.sleepUntil(date).build("w", 1))).toMatchObject({ kind: "sleep-until", date });
    expect(onlyNode(begin.sleepUntil(0).build("w", 1))).toMatchObject({ date: 0 });
  });
});

describe("a child workflow", () => {
  const child = workflow<{ n: number }>().then(pack).as("packed").build("child", 3);

  it("is of a definition's own version", () => {
    const input = (data: { n: number }): { n: number } => ({ n: data.n });
    expect(onlyNode(begin.runWorkflow(child, input).as("done").timeout("1h").build("w", 1))).toEqual({
      kind: "run-workflow",
      id: "run-workflow",
      name: "run-workflow",
      as: "done",
      timeoutMs: 3_600_000,
      definitionId: "child",
      definitionVersion: 3,
      input,
    });
  });

  it("is of an id, and of a version if one is given", () => {
    expect(onlyNode(begin.runWorkflow("child").build("w", 1))).toMatchObject({ definitionId: "child" });
    expect(onlyNode(begin.runWorkflow("child").build("w", 1))).not.toHaveProperty("definitionVersion");
    expect(onlyNode(begin.runWorkflow("child", (data) => data, { version: 2 }).build("w", 1))).toMatchObject({
      definitionVersion: 2,
    });
  });
});

describe("an end", () => {
  it("completes or fails", () => {
    const definition = begin
      .ifDo(
        () => true,
        (b) => b.then(pack).endWorkflow(),
      )
      .fail((data) => `no ${data.n}`)
      .build("w", 1);
    expect(definition.body.nodes[1]).toMatchObject({ kind: "fail", id: "fail", message: expect.any(Function) });
    expect(definition.index.places.get("end")?.node).toEqual({ kind: "end", id: "end", name: "end" });
  });
});

describe("a definition", () => {
  it("has an id, a version, a description, a schema and an index", () => {
    const schema = {
      "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value: value as { n: number } }) },
    } as const;
    const definition = workflow({ data: schema })
      .then(pack)
      .build("order", 2, { description: "What happens to an order" });
    expect(definition).toMatchObject({
      id: "order",
      version: 2,
      description: "What happens to an order",
      dataSchema: schema,
    });
    expect(definition.index.places.get("pack")).toMatchObject({ owner: null, slot: "body", position: 0 });
  });

  it("is frozen all through", () => {
    const definition = untyped()
      .then(pack)
      .compensateWith(ship)
      .decide(() => "a", { a: (b: any) => b.then(bill) })
      .graph((g: any) => g.node("g", pack).node("h", pack, { needs: ["g"] }))
      .waitForAny({ e: "e" }, "k", { remind: { every: 1, do: (b: any) => b.then(bill) } })
      .build("w", 1);
    expect(thawed(definition)).toEqual([]);
    expect(() => (definition.body.nodes[1].cases as Map<string, unknown>).set("b", {})).toThrow("cannot be changed");
  });
});

/** The paths of objects that could be changed. */
function thawed(value: unknown, path = "", seen = new Set<unknown>()): string[] {
  if (typeof value !== "object" || value === null || seen.has(value) || path.endsWith("index")) return [];
  seen.add(value);
  const inside = Object.entries(value).flatMap(([key, item]) => thawed(item, `${path}.${key}`, seen));
  const mapped = value instanceof Map ? [...value].flatMap(([key, item]) => thawed(item, `${path}.${key}`, seen)) : [];
  return [...(Object.isFrozen(value) ? [] : [path]), ...inside, ...mapped];
}
