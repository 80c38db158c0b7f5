import { retry, workflow, type WorkflowDefinition, type WorkflowHost } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

const fails = (): never => {
  throw new Error("boom");
};
const nothing = (): void => {};
const failsFor =
  (bad: number) =>
  (_: unknown, ctx: { readonly item?: unknown }): void => {
    if (ctx.item === bad) fails();
  };

interface Case {
  readonly of: readonly WorkflowDefinition<any, any>[];
  /** What is done before. */
  readonly first?: (host: WorkflowHost, id: string, world: World) => Promise<unknown>;
  /** Whose actions are meant. Default: of `w`. */
  readonly whose?: string;
  /** What is offered, as it would be typed. */
  readonly offers: readonly string[];
}

const withCompensation = workflow().then(nothing).id("a").compensateWith(nothing);
const child = workflow().then(fails).id("inner").build("child", 1);
const parent = workflow()
  .runWorkflow("child", () => ({}))
  .id("run");
const wait = { onFailure: "wait" } as const;

const cases: Readonly<Record<string, Case>> = {
  "a step that failed": {
    of: [workflow().then(nothing).id("p").then(fails).id("a").build("w", 1)],
    offers: ["setData()", "retryWorkflow()", "skipStep(a)", "forkWorkflow({at:1})"],
  },
  "one that ended in its first turn": {
    of: [workflow().fail("no").id("no").build("w", 1)],
    offers: ["setData()", "retryWorkflow()", "skipStep(no)"],
  },
  "one whose data was set after its end": {
    of: [workflow().then(nothing).id("p").then(fails).id("a").build("w", 1)],
    first: (host, id) => host.setData(id, { x: 1 }),
    offers: ["setData()", "retryWorkflow()", "skipStep(a)", "forkWorkflow({at:1})"],
  },
  "one that completed, and refused a call after that": {
    of: [workflow().then(nothing).build("w", 1)],
    first: (host, id) => host.suspendWorkflow(id),
    offers: ["forkWorkflow({at:0})"],
  },
  "one that an error terminated": {
    of: [workflow().then(fails).id("a").onError("terminate").build("w", 1)],
    offers: ["retryWorkflow()", "forkWorkflow({at:0})"],
  },
  "one that an item's error terminated": {
    of: [
      workflow()
        .forEach(
          () => [1, 2],
          (b) => b.then(fails).id("a").onError("terminate"),
        )
        .id("each")
        .build("w", 1),
    ],
    offers: ["retryWorkflow()", "retryWorkflow({from:a,item:[0]})", "forkWorkflow({at:0})"],
  },
  "one that a person terminated": {
    of: [workflow().delay("1h").build("w", 1)],
    first: (host, id) => host.terminateWorkflow(id),
    offers: ["retryWorkflow()", "forkWorkflow({at:0})"],
  },
  "one that was undone": {
    of: [withCompensation.then(fails).id("b").build("w", 1)],
    offers: ["setData()", "retryWorkflow()", "forkWorkflow({at:1})"],
  },
  "an item whose saga was undone": {
    of: [
      workflow()
        .forEach(
          () => [1, 2],
          (b) => b.saga((s) => s.then(nothing).id("a").compensateWith(nothing).then(failsFor(2)).id("b")),
          wait,
        )
        .id("each")
        .build("w", 1),
    ],
    offers: ["setData()", "setItem(each, 1)", "retryWorkflow()", "forkWorkflow({at:1})"],
  },
  "one whose undoing failed": {
    of: [workflow().then(nothing).id("a").compensateWith(fails).then(fails).id("b").build("w", 1)],
    offers: ["retryWorkflow()", "terminateWorkflow()"],
  },
  "one item of several": {
    of: [
      workflow()
        .forEach(
          () => [1, 2, 3],
          (b) => b.then(failsFor(2)).id("a"),
          wait,
        )
        .id("each")
        .build("w", 1),
    ],
    offers: [
      "setData()",
      "setItem(each, 1)",
      "retryWorkflow()",
      "retryWorkflow({from:a,item:[1]})",
      "skipStep(a)",
      "forkWorkflow({at:0})",
    ],
  },
  "all items": {
    of: [
      workflow()
        .forEach(
          () => [1, 2],
          (b) => b.then(fails).id("a"),
          wait,
        )
        .id("each")
        .build("w", 1),
    ],
    offers: [
      "setData()",
      "setItem(each, 0)",
      "retryWorkflow()",
      "retryWorkflow({from:a,item:[0]})",
      "skipStep(a, undefined, {item:[0]})",
      "forkWorkflow({at:0})",
    ],
  },
  "items that are held": {
    of: [
      workflow()
        .forEach(
          () => [1, 2],
          (b) => b.then(fails).id("a").onError("suspend"),
        )
        .id("each")
        .build("w", 1),
    ],
    offers: [
      "setData()",
      "setItem(each, 0)",
      "retryWorkflow()",
      "retryWorkflow({from:a,item:[0]})",
      "skipStep(a, undefined, {item:[0]})",
      "terminateWorkflow()",
    ],
  },
  "an item of an item": {
    of: [
      workflow()
        .forEach(
          () => [
            [1, 2],
            [3, 4],
          ],
          (b) =>
            b
              .forEach(
                (_, at) => at.item as number[],
                (c) => c.then(failsFor(4)).id("in"),
                wait,
              )
              .id("inner"),
          wait,
        )
        .id("outer")
        .build("w", 1),
    ],
    offers: [
      "setData()",
      "setItem(inner, [1,1])",
      "retryWorkflow()",
      "retryWorkflow({from:in,item:[1,1]})",
      "skipStep(in)",
      "forkWorkflow({at:0})",
    ],
  },
  "an iteration of a loop": {
    of: [
      workflow()
        .doWhile(
          (b) =>
            b
              .then((_, ctx) => {
                if (ctx.index === 1) fails();
              })
              .id("a"),
          (_, at) => (at.index ?? 0) < 2,
        )
        .build("w", 1),
    ],
    offers: ["setData()", "retryWorkflow()", "retryWorkflow({from:a,item:[1]})", "skipStep(a)", "forkWorkflow({at:1})"],
  },
  "a step of an onFailure that failed": {
    of: [
      workflow()
        .then(fails)
        .id("a")
        .onFailure((b) => b.then(fails).id("h"))
        .build("w", 1),
    ],
    offers: ["setData()", "retryWorkflow()", "skipStep(a)", "forkWorkflow({at:1})"],
  },
  "a step of an ensure that failed": {
    of: [
      workflow()
        .then(nothing)
        .id("a")
        .ensure((b) => b.then(fails).id("h"))
        .build("w", 1),
    ],
    offers: ["setData()", "retryWorkflow()", "skipStep(h)", "forkWorkflow({at:1})"],
  },
  "one that runs its undoing": {
    of: [
      workflow()
        .then(nothing)
        .id("a")
        .compensateWithSequence((b) => b.waitFor("refunded", "k").id("c"))
        .then(fails)
        .build("w", 1),
    ],
    offers: ["publishEvent(refunded, k)", "skipStep(c)", "suspendWorkflow()", "terminateWorkflow()"],
  },
  "one that waits to retry": {
    of: [
      workflow()
        .then(fails)
        .id("a")
        .onError(retry({ interval: "1h", maxRetries: 3 }))
        .build("w", 1),
    ],
    offers: ["skipStep(a)", "suspendWorkflow()", "terminateWorkflow()"],
  },
  "two steps that are held": {
    of: [
      workflow()
        .parallel((p) =>
          p
            .branch((b) => b.then(fails).id("x").onError("suspend"))
            .branch((b) => b.then(fails).id("y").onError("suspend")),
        )
        .build("w", 1),
    ],
    offers: ["setData()", "retryWorkflow()", "skipStep(x)", "terminateWorkflow()"],
  },
  "a parent whose child failed": {
    of: [parent.build("w", 1), child],
    offers: ["explain(child)", "retryWorkflow()", "forkWorkflow({at:0})"],
  },
  "a child that failed": {
    of: [parent.build("w", 1), child],
    whose: "child",
    offers: ["setData()", "retryWorkflow()", "skipStep(inner)", "forkWorkflow({at:0})", "explain(w)"],
  },
  "a child whose parent was undone": {
    of: [
      withCompensation
        .runWorkflow("child", () => ({}))
        .id("run")
        .build("w", 1),
      child,
    ],
    whose: "child",
    offers: ["setData()", "forkWorkflow({at:0})", "explain(w)"],
  },
};

const [store] = stores;
if (store === undefined) throw new Error("there is no store");

/** What a person adds to what `explain` gives. */
const byHand: Readonly<Record<string, readonly unknown[]>> = {
  setData: [{ mended: true }],
  setItem: [7],
  publishEvent: [{ payload: 1 }],
};

async function stateOf({ of, first, whose }: Case) {
  const world = new World(store as (typeof stores)[number]);
  const host = await world.start(of);
  const { id: root } = await host.startWorkflow("w", {});
  await world.settle();
  await first?.(host, root, world);
  await world.settle();
  const [found] = whose === undefined ? [] : (await host.listWorkflows({ definitionId: whose })).items;
  return { world, host, id: found?.id ?? root };
}

describe("explain offers, of", () => {
  for (const [name, one] of Object.entries(cases)) {
    it(`${name}, what would help, and each of it is taken`, async () => {
      const typed: string[] = [];
      for (let number = 0, count = 1; number < count; number++) {
        const { world, host, id } = await stateOf(one);
        await using _ = world;
        const { actions } = await host.explain(id);
        count = actions.length;
        const action = actions[number];
        if (action === undefined) break;
        const { call, arguments: args } = action;
        typed.push(await asTyped(host, id, call, args));
        const known = args.map((each, place) => (each === undefined && place === 2 ? "by hand" : each));
        const added = call === "skipStep" && args.length === 2 ? ["by hand"] : (byHand[call] ?? []);
        const method = (host as unknown as Record<string, (...given: readonly unknown[]) => Promise<any>>)[call];
        const result = await method?.call(host, ...known, ...added);
        await world.settle();
        await result?.applied?.({ timeout: "1m" });
      }
      expect(typed).toEqual(one.offers);
    });
  }

  it("a child that an import left behind no failure of it", async () => {
    const of = [parent.build("w", 1), workflow().delay("1h").build("child", 1)];
    const { world, host, id } = await stateOf({ of, offers: [] });
    await using _ = world;
    const file = await host.exportWorkflow(id);
    await using there = new World(store);
    const other = await there.start(of);
    await other.importWorkflow(file);
    const told = await other.explain(id);
    expect(told.waitsFor.map(({ text }) => text).join()).toContain("stayed behind");
    expect(told.text).not.toContain("since it failed");
    expect(told.actions.map(({ call }) => call)).toEqual(["resumeWorkflow", "terminateWorkflow"]);
  });
});

/** Without the workflow's own id; another one's is told by its definition. */
async function asTyped(host: WorkflowHost, id: string, call: string, args: readonly unknown[]): Promise<string> {
  const [first, ...rest] = args;
  const other = call === "explain" ? (await host.getWorkflow(String(first)))?.definitionId : undefined;
  const shown = first === id ? rest : [other ?? first, ...rest];
  const text = (value: unknown): string => (value === undefined ? "undefined" : JSON.stringify(value));
  return `${call}(${shown.map(text).join(", ").replaceAll('"', "")})`;
}
