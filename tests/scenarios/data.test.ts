import { ExecutionResult, workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

/** Values that have to come back exactly, by what is special about them. */
const values: Record<string, any> = {
  "text of all planes":
    "äöü ß 漢字 العربية 👩‍👩‍👧‍👦 \u{10FFFF} \u0001 \u001f \u2028 \u2029 \ufeff \ufffe \\ \" ' ` ${x} %s $1 ; drop table x; --",
  "empty text": "",
  "text with line ends": "a\r\nb\nc\rd\t\b\f\v",
  "long text": "漢".repeat(200_000),
  "a lone surrogate": "a\ud800b\udc00c",
  NUL: "a\0b",
  "whole numbers": [0, 1, -1, 2 ** 53 - 1, -(2 ** 53) + 1, 2 ** 53, 1e21, 123456789012345680000],
  "broken numbers": [0.1, 1 / 3, 5e-324, 1.7976931348623157e308, -1e-7],
  "numbers that JSON lacks": [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0],
  "big integers": [0n, -1n, 2n ** 64n, -(10n ** 100n)],
  truths: [true, false, null],
  "undefined in arrays": [undefined, 1, undefined],
  "undefined in objects": { a: undefined, b: { c: undefined } },
  dates: [new Date(0), new Date(-1), new Date(8.64e15), new Date(-8.64e15), new Date(Number.NaN)],
  maps: new Map<unknown, unknown>([
    ["a", 1],
    [1, new Map([[new Date(5), new Set([1n])]])],
    [Number.NaN, -0],
    [undefined, undefined],
  ]),
  sets: new Set<unknown>(["b", "a", 1, Number.NaN, undefined, null, new Set([0])]),
  bytes: [new Uint8Array(), Uint8Array.from({ length: 256 }, (_, index) => index), new Uint8Array(100_000).fill(255)],
  "empty containers": [{}, [], new Map(), new Set()],
  "hostile keys": JSON.parse(
    '{"__proto__": {"polluted": true}, "constructor": {"prototype": 1}, "prototype": 2, "toString": 3, "hasOwnProperty": 4, "": 5, "$wfe": {"$wfe": "date", "v": "x"}}',
  ) as unknown,
  "keys in order": { z: 1, a: 2, 10: 3, 2: 4, "a.b": 5, "a[0]": 6 },
  deep: nestedDeep(150),
  wide: Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`key ${index}`, index])),
  "shared parts": sharedParts(),
};

/** Values that cannot be stored, and the path of what is at fault in them. */
const refused: Record<string, { readonly value: any; readonly path: string; readonly code?: string }> = {
  "a function": { value: { a: [{ onDone: () => 1 }] }, path: ".a[0].onDone" },
  "a symbol": { value: [Symbol("x")], path: "[0]" },
  "an instance of a class": { value: { order: new (class Order {})() }, path: ".order" },
  "a cycle": { value: cycle(), path: ".self.self" },
  "a promise": { value: { later: Promise.resolve(1) }, path: ".later" },
  "a regular expression": { value: { like: /x/ }, path: ".like" },
  "an accessor": {
    value: {
      get now() {
        return 1;
      },
    },
    path: ".now",
  },
  "a hole": { value: [1, , 3], path: "[1]" },
  "a boxed number": { value: { n: new Number(5) }, path: ".n" },
  "what is deeper than the limit": { value: nestedDeep(300), path: ".n.n", code: "LIMIT_EXCEEDED" },
  "what is larger than the limit": { value: { text: "x".repeat(9 * 1024 * 1024) }, path: "", code: "LIMIT_EXCEEDED" },
};

describe.each(stores)("values that come back as they were, on $name", (store) => {
  it.each(Object.keys(values))("%s", async (name) => {
    await using world = new World(store);
    const value = values[name];
    const seen: Record<string, unknown> = {};
    const everywhere = workflow<{ start: unknown }>()
      .then((data, ctx) => {
        seen["input"] = data.start;
        seen["ctx.data"] = ctx.data.start;
        return value;
      })
      .as("output")
      .waitFor<unknown>("e", "")
      .as("event")
      .then((_, ctx) => {
        if (ctx.persisted === undefined) return ExecutionResult.persist({ value });
        seen["persisted"] = (ctx.persisted as { value: unknown }).value;
        return ExecutionResult.next();
      })
      .then(
        (input: unknown) => {
          seen["mapped input"] = input;
        },
        () => value,
      )
      .forEach(
        () => [value],
        (b) =>
          b.then((_, ctx) => {
            seen["item"] = ctx.item;
            return ctx.item;
          }),
        { as: "items" },
      )
      .build("values", 1);
    const host = await world.start([everywhere]);
    const handle = await host.startWorkflow(everywhere, { start: value });
    await host.publishEvent("e", "", value);
    const result = await handle.result();
    for (const [place, came] of Object.entries({
      ...seen,
      result: result.start,
      output: result.output,
      event: result.event,
      items: result.items[0],
    })) {
      expect(same(came, value), place).toBe(true);
    }
    // A host that folds the journal anew, as one does that takes over.
    const details = await world.host([everywhere]).getWorkflow(handle.id);
    expect(same(details?.data, result)).toBe(true);
    const outputs = (await historyOf(host, handle.id)).filter(
      ({ kind, output }) => kind === "step-completed" && same(output, value),
    );
    expect(outputs.length).toBeGreaterThan(0);
  });
});

describe.each(stores)("values that are refused with a path, on $name", (store) => {
  const takes = workflow<{ value: unknown }>()
    .then((data) => data)
    .build("takes", 1);

  it.each(Object.keys(refused))("%s, in start data, events and corrections", async (name) => {
    await using world = new World(store);
    const { value, path, code = "INVALID_VALUE" } = refused[name] ?? { value: undefined, path: "" };
    const host = await world.start([takes]);
    const error = (root: string) => ({ code, ...(code === "INVALID_VALUE" ? { path: `${root}${path}` } : {}) });
    await expect(host.startWorkflow(takes, { value })).rejects.toMatchObject(error("data.value"));
    await expect(host.publishEvent("e", "", value)).rejects.toMatchObject(error("payload"));
    const { id } = await host.startWorkflow(takes, { value: 1 }, { delay: "1d" });
    await expect(host.setData(id, { value })).rejects.toMatchObject(error("patch.value"));
    expect(await host.countWorkflows({})).toBe(1);
  });

  it.each(Object.keys(refused))(
    "%s, as output, input, item and persisted data: the step fails, and its neighbours do not",
    async (name) => {
      await using world = new World(store);
      const { value, path, code = "INVALID_VALUE" } = refused[name] ?? { value: undefined, path: "" };
      const fails = {
        output: workflow()
          .then((): unknown => value)
          .as("out")
          .build("output", 1),
        "the output of a reducer": workflow()
          .then(() => 1)
          .output((): object => ({ value }))
          .build("reducer", 1),
        input: workflow()
          .then(
            (input: unknown) => input,
            () => value,
          )
          .build("input", 1),
        items: workflow()
          .forEach(
            () => [value],
            (b) => b.then(() => 1),
          )
          .build("items", 1),
        persisted: workflow()
          .then(() => ExecutionResult.persist({ value }))
          .build("persisted", 1),
        "an outcome": workflow()
          .then(() => ExecutionResult.outcome(value as string))
          .build("outcome", 1),
      };
      const fine = workflow()
        .delay("1s")
        .then(() => "fine")
        .as("out")
        .build("fine", 1);
      const host = await world.start([...Object.values(fails), fine]);
      const neighbours = await Promise.all(Array.from({ length: 5 }, () => host.startWorkflow(fine, {})));
      for (const [place, definition] of Object.entries(fails)) {
        const details = await world.ended(await host.startWorkflow(definition, {}));
        expect(details.status, place).toBe("failed");
        expect(details.error, place).toMatchObject({ code });
        if (code === "INVALID_VALUE")
          expect(details.error, place).toMatchObject({ path: expect.stringContaining(path) });
      }
      await world.clock.advance("1m");
      for (const neighbour of neighbours) expect(await neighbour.result()).toEqual({ out: "fine" });
    },
  );

  it("data of a start that is no object", async () => {
    await using world = new World(store);
    const host = await world.start([takes]);
    for (const data of [1, "text", [1], null, new Date()]) {
      await expect(host.startWorkflow(takes, data as never)).rejects.toThrow(
        expect.objectContaining({ code: expect.stringMatching(/INVALID_/) }),
      );
    }
  });

  it("names and keys with NUL, or longer than 512 bytes", async () => {
    await using world = new World(store);
    const host = await world.start([takes]);
    for (const bad of ["a\0b", "漢".repeat(171)]) {
      await expect(host.publishEvent(bad, "k", 1)).rejects.toMatchObject({ code: "INVALID_OPTION" });
      await expect(host.publishEvent("e", bad, 1)).rejects.toMatchObject({ code: "INVALID_OPTION" });
      await expect(host.startWorkflow(takes, { value: 1 }, { id: bad })).rejects.toMatchObject({
        code: "INVALID_OPTION",
      });
      await expect(host.startWorkflow(takes, { value: 1 }, { tags: [bad] })).rejects.toMatchObject({
        code: "INVALID_OPTION",
      });
    }
    const longest = "漢".repeat(170);
    await host.publishEvent(longest, longest, 1, { id: longest });
    const handle = await host.startWorkflow(takes, { value: 1 }, { id: longest, tags: [longest] });
    await handle.result();
  });

  it("a wait's key that is none: the step fails, and its neighbours do not", async () => {
    await using world = new World(store);
    const keyed = workflow<{ key: unknown }>()
      .waitFor<number>("e", (data) => data.key as string)
      .as("n")
      .build("keyed", 1);
    const host = await world.start([keyed]);
    const good = await host.startWorkflow(keyed, { key: "漢".repeat(170) });
    for (const key of ["a\0b", "x".repeat(513), 7, undefined, null, {}]) {
      expect(await world.ended(await host.startWorkflow(keyed, { key }))).toMatchObject({
        status: "failed",
        error: { code: "EXPRESSION" },
      });
    }
    await host.publishEvent("e", "漢".repeat(170), 1);
    expect((await good.result()).n).toBe(1);
  });
});

describe.each(stores)("limits of data on $name", (store) => {
  it("fail a step whose output is too large, or whose workflow's data grows too large, with a named error", async () => {
    await using world = new World(store);
    const growing = workflow<{ text?: string; more?: string }>()
      .then(() => "x".repeat(100_000))
      .as("text")
      .then(() => "y".repeat(100_000))
      .as("more")
      .build("growing", 1);
    const { status, error, data } = await world.run(growing, {}, { limits: { dataBytes: 150_000 } });
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "LIMIT_EXCEEDED" });
    expect(Object.keys(data)).toEqual(["text"]);
  });

  it("let a list grow for many turns at the price of what is added", async () => {
    await using world = new World(store);
    const growing = workflow<{ list: { n: number; text: string }[] }>()
      .whileDo(
        (data) => data.list.length < 300,
        (b) =>
          b
            .then((data) => ({ n: data.list.length, text: "x".repeat(200) }))
            .output((data, item) => ({ list: [...data.list, item] })),
      )
      .build("growing-list", 1);
    const host = await world.start([growing]);
    const handle = await host.startWorkflow(growing, { list: [] });
    const { list } = await handle.result();
    expect(list.map(({ n }) => n)).toEqual(Array.from({ length: 300 }, (_, n) => n));
    const patches = (await historyOf(host, handle.id))
      .filter(({ patch }) => patch !== undefined)
      .map(({ patch }) => JSON.stringify(patch).length);
    expect(Math.max(...patches)).toBeLessThan(1_000);
  });

  it("end a loop that never pauses", async () => {
    await using world = new World(store);
    const endless = workflow<{ n: number }>()
      .whileDo(
        () => true,
        (b) =>
          b.ifDo(
            () => false,
            (i) => i.then(() => 1),
          ),
      )
      .build("endless", 1);
    const { status, error } = await world.run(endless, { n: 0 }, { limits: { transitions: 3_000 } });
    expect(status).toBe("failed");
    expect(error).toMatchObject({ code: "LIMIT_EXCEEDED" });
  });
});

/** Whether two values are equal in every way a program could tell: types, order of keys, -0, NaN, missing and undefined. */
function same(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (
    Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) &&
    !(a instanceof Date || a instanceof Map || a instanceof Set)
  )
    return false;
  if (a instanceof Date) return b instanceof Date && Object.is(a.getTime(), b.getTime());
  if (a instanceof Map) return b instanceof Map && sameAll([...a].flat(), [...b].flat());
  if (a instanceof Set) return b instanceof Set && sameAll([...a], [...b]);
  if (a instanceof Uint8Array)
    return b instanceof Uint8Array && a.length === b.length && a.every((byte, index) => byte === b[index]);
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  return sameAll(Object.keys(a), Object.keys(b)) && sameAll(Object.values(a), Object.values(b));
}

function sameAll(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((each, index) => same(each, b[index]));
}

function nestedDeep(depth: number): unknown {
  let value: unknown = "bottom";
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? { n: value } : [value];
  return depth % 2 === 0 && depth > 200 ? { n: { n: value } } : value;
}

function sharedParts(): unknown {
  const part = { list: [1, 2, 3] };
  return { a: part, b: part, c: [part, part.list] };
}

function cycle(): unknown {
  const value: { self?: unknown } = {};
  value.self = { self: value };
  return value;
}
