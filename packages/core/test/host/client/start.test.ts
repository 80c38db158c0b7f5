import { describe, expect, it, vi } from "vitest";
import { decode } from "../../../src/codec/index.ts";
import {
  DefinitionConflictError,
  DefinitionNotFoundError,
  InvalidOptionError,
  InvalidValueError,
  LimitExceededError,
  StoreError,
  ValidationError,
  WorkflowIdConflictError,
} from "../../../src/errors.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { NewEvent, NewWorkflow, PersistenceProvider, Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, laterNumbers, numbers, step } from "./definitions.ts";

const order = define<{ amount?: number }, { amount: number }>("order", [step("charge", () => 1)]);
const refund = define("refund", [step("pay", () => 1)]);

/** A memory store that counts its calls, and can be told to fail. */
function observed(): {
  readonly provider: Provider;
  readonly calls: string[];
  readonly created: NewWorkflow[];
  readonly published: NewEvent[];
  readonly fail: { next: Error[] };
} {
  const provider = memory();
  const persistence = provider.persistence as PersistenceProvider;
  const calls: string[] = [];
  const created: NewWorkflow[] = [];
  const published: NewEvent[] = [];
  const fail: { next: Error[] } = { next: [] };
  const failing = (): void => {
    const error = fail.next.shift();
    if (error !== undefined) throw error;
  };
  return {
    calls,
    created,
    published,
    fail,
    provider: {
      ...provider,
      persistence: {
        ...persistence,
        create: async (workflows) => {
          calls.push(`create ${workflows.length}`);
          failing();
          created.push(...workflows);
          return persistence.create(workflows);
        },
        publish: async (events) => {
          calls.push(`publish ${events.length}`);
          failing();
          published.push(...events);
          return persistence.publish(events);
        },
      },
    },
  };
}

function client(provider: Provider = memory(), more: Partial<ConstructorParameters<typeof WorkflowHost>[0]> = {}) {
  const clock = new TestClock();
  return { clock, host: new WorkflowHost({ providers: [provider], workflows: [order, refund], clock, ...more }) };
}

describe("startWorkflow", () => {
  it("stores the workflow with all its options", async () => {
    const { provider, created } = observed();
    const { host } = client(provider);
    const handle = await host.startWorkflow(
      order,
      { amount: 3 },
      { id: "o-1", priority: 7, tags: ["eu", "vip", "eu"], startAt: new Date("2031-01-01") },
    );
    expect(handle).toMatchObject({ id: "o-1", namespace: "default", created: true });
    expect(created).toEqual([
      {
        namespace: "default",
        id: "o-1",
        uid: expect.any(String),
        definitionId: "order",
        version: 1,
        definitionHash: order.hash,
        priority: 7,
        tags: ["eu", "vip"],
        startAt: Date.UTC(2031, 0, 1),
        startText: expect.any(String),
        parent: null,
        firstTurn: null,
      },
    ]);
    expect(decode(created[0]?.startText ?? "")).toEqual({
      data: { amount: 3 },
      depth: 0,
      startAt: created[0]?.startAt,
    });
    expect(await handle.get()).toMatchObject({ status: "runnable", data: { amount: 3 }, tags: ["eu", "vip"], seq: -1 });
  });

  it("counts a delay from the store's time, not from the machine's", async () => {
    const { provider, created } = observed();
    const { host, clock } = client(provider);
    const began = clock.now();
    await host.startWorkflow(order, {}, { delay: "2h" });
    expect(created[0]?.startAt).toBe(began + 7_200_000);
  });

  it("gives the workflow that is there for an id that is taken", async () => {
    const { host } = client();
    expect((await host.startWorkflow(order, { amount: 1 }, { id: "same" })).created).toBe(true);
    const again = await host.startWorkflow(order, { amount: 2 }, { id: "same" });
    expect(again.created).toBe(false);
    expect((await again.get())?.data).toEqual({ amount: 1 });
    await expect(host.startWorkflow(refund, {}, { id: "same" })).rejects.toThrow(WorkflowIdConflictError);
    await expect(host.startWorkflow(refund, {}, { id: "same" })).rejects.toMatchObject({
      code: "WORKFLOW_ID_CONFLICT",
      workflowId: "same",
      definitionId: "order",
    });
  });

  it("gives the workflow of an older version for an id that is taken", async () => {
    const { host } = client();
    await host.startWorkflow(order, {}, { id: "same" });
    const later = define("order", [step("charge", () => 1), step("ship", () => 1)], { version: 2 });
    host.register(later);
    const again = await host.startWorkflow(later, {}, { id: "same" });
    expect(again.created).toBe(false);
    expect((await again.get())?.version).toBe(1);
  });

  it("gives a random id of its own where none is given", async () => {
    const { host } = client();
    const [one, two] = await Promise.all([host.startWorkflow(order, {}), host.startWorkflow(order, {})]);
    expect(one.id).toMatch(/^[\w-]{20,}$/);
    expect(two.id).not.toBe(one.id);
  });

  it("starts by id the highest version registered, or the one asked for", async () => {
    const { host } = client();
    host.register(define("order", [step("other", () => 1)], { version: 5 }));
    expect((await (await host.startWorkflow("order", {})).get())?.version).toBe(5);
    expect((await (await host.startWorkflow("order", {}, { version: 1 })).get())?.version).toBe(1);
    await expect(host.startWorkflow("order", {}, { version: 2 })).rejects.toThrow("there is version 1, 5");
    await expect(host.startWorkflow("ordr", {})).rejects.toThrow("did you mean `order`?");
  });

  it("says what a client without definitions needs to start by id", async () => {
    const client = new WorkflowHost({ providers: [memory()], workflows: [] });
    await expect(client.startWorkflow("order", {}, { version: 1 })).rejects.toMatchObject({
      code: "DEFINITION_NOT_FOUND",
      message: expect.stringMatching(/pass the definition in place of its id, or definitions in `workflows`/),
    });
    await client.stop();
  });

  it("takes a definition that a client has not registered, but not another structure of one it has", async () => {
    const { host } = client();
    const elsewhere = define("elsewhere", [step("a", () => 1)]);
    expect((await host.startWorkflow(elsewhere, {})).created).toBe(true);
    await expect(host.startWorkflow("elsewhere", {})).rejects.toThrow(DefinitionNotFoundError);
    await expect(host.startWorkflow(define("order", [step("else", () => 1)]), {})).rejects.toThrow(
      DefinitionConflictError,
    );
  });

  it("starts without data where the workflow needs none", async () => {
    const { host } = client();
    const handle = await host.startWorkflow("order");
    expect((await handle.get())?.data).toEqual({});
  });

  it("puts many starts of one moment into one call of the store", async () => {
    const { provider, calls } = observed();
    const { host } = client(provider);
    await host.startWorkflow(order, {});
    calls.length = 0;
    await Promise.all(Array.from({ length: 1_200 }, (_, index) => host.startWorkflow(order, {}, { id: `n-${index}` })));
    expect(calls).toEqual(["create 500", "create 500", "create 200"]);
  });

  it("repeats a start as it was when the store did not answer", async () => {
    const { provider, created, fail, calls } = observed();
    const { host, clock } = client(provider);
    fail.next = [1, 2].map(
      () => new StoreError("STORE_UNREACHABLE", "no connection", { outcome: "unknown", transient: true }),
    );
    const starting = host.startWorkflow(order, {}, { id: "o" });
    await clock.advance("5s");
    expect((await starting).created).toBe(true);
    expect(calls.length).toBe(3);
    expect(created.length).toBe(1);
  });

  it("gives up when the store stays out of reach", async () => {
    const { provider, fail } = observed();
    const { host, clock } = client(provider);
    fail.next = Array.from(
      { length: 100 },
      () => new StoreError("STORE_UNREACHABLE", "no connection", { outcome: "unknown", transient: true }),
    );
    const starting = host.startWorkflow(order, {}, { id: "o" });
    starting.catch(() => {});
    await clock.advance("1m");
    await expect(starting).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
  });

  it("checks the data against the definition's schema, also an asynchronous one", async () => {
    const { host, clock } = client();
    for (const dataSchema of [numbers("amount", "count"), laterNumbers("amount", "count")]) {
      const checked = define("checked", [], { dataSchema, version: clock.now() });
      await expect(host.startWorkflow(checked, { amount: "3", count: 1 })).rejects.toThrow(ValidationError);
      await expect(host.startWorkflow(checked, { amount: "3" })).rejects.toMatchObject({
        code: "VALIDATION_FAILED",
        definitionId: "checked",
        issues: [
          { message: "must be a number", path: "amount" },
          { message: "must be a number", path: "count" },
        ],
      });
      expect((await host.startWorkflow(checked, { amount: 3, count: 1 })).created).toBe(true);
      await clock.advance(1);
    }
  });

  it("refuses data that cannot be stored, with its path", async () => {
    const { host } = client(memory(), { limits: { dataBytes: 1_000 } });
    const start = (data: unknown) => host.startWorkflow("order", data);
    await expect(start({ items: [{ f: () => 1 }] })).rejects.toThrow(InvalidValueError);
    await expect(start({ items: [{ f: () => 1 }] })).rejects.toMatchObject({ path: "data.items[0].f" });
    await expect(start({ text: "x".repeat(2_000) })).rejects.toThrow(LimitExceededError);
    for (const data of [null, 5, "text", [1], new Date(), new Map(), new Error("x"), new Uint8Array(1)])
      await expect(start(data)).rejects.toThrow("must be an object");
  });

  it("is not affected by what happens to the data afterwards", async () => {
    const { host } = client();
    const data = { amount: 1 };
    const starting = host.startWorkflow(order, data, { id: "o" });
    data.amount = 2;
    await starting;
    // The call had read the data when it returned its promise, once the host is open.
    const second = host.startWorkflow(order, data, { id: "o2" });
    data.amount = 3;
    await second;
    expect((await host.getWorkflow("o2"))?.data).toEqual({ amount: 2 });
  });

  it.each([
    ["a blank id", { id: " " }],
    ["an id that is no text", { id: 5 }],
    ["a long id", { id: "x".repeat(513) }],
    ["an id with NUL", { id: "a\0b" }],
    ["an unknown option", { prio: 5 }],
    ["a priority that is no whole number", { priority: 1.5 }],
    ["a priority out of bounds", { priority: 1e9 }],
    ["tags that are no array", { tags: "a" }],
    ["a blank tag", { tags: [""] }],
    ["too many tags", { tags: Array.from({ length: 101 }, (_, index) => `${index}`) }],
    ["a delay that is none", { delay: "soon" }],
    ["a negative delay", { delay: -1 }],
    ["an invalid date", { startAt: new Date("never") }],
    ["delay and startAt", { delay: 1, startAt: 1 }],
    ["a version beside a definition", { version: 3 }],
    ["a version that is none", { version: "1" }],
    ["a tx that is null", { tx: null }],
  ])("refuses %s", async (_, options) => {
    const { provider, calls } = observed();
    const { host } = client(provider);
    await expect(host.startWorkflow(order, {}, options as never)).rejects.toThrow(InvalidOptionError);
    expect(calls).toEqual([]);
  });
});

describe("startWorkflows", () => {
  it("starts a batch in one call of the store, in order", async () => {
    const { provider, calls } = observed();
    const { host } = client(provider);
    const handles = await host.startWorkflows([
      { definition: order, data: { amount: 1 }, options: { id: "a" } },
      { definition: "refund", data: {} },
      { definition: order, data: {}, options: { id: "a" } },
    ]);
    expect(handles.map(({ created }) => created)).toEqual([true, true, false]);
    expect(handles[0].id).toBe("a");
    expect(calls).toEqual(["create 3"]);
    expect(await host.startWorkflows([])).toEqual([]);
  });

  it("refuses more than 500", async () => {
    const { host } = client();
    const items = Array.from({ length: 501 }, () => ({ definition: order, data: {} }));
    await expect(host.startWorkflows(items)).rejects.toThrow(LimitExceededError);
    expect((await host.startWorkflows(items.slice(1))).length).toBe(500);
  });

  it("starts nothing where one item cannot be started", async () => {
    const { provider, calls } = observed();
    const { host } = client(provider);
    const good = { definition: order, data: {} };
    await expect(host.startWorkflows([good, { definition: "unknown", data: {} }])).rejects.toThrow(
      DefinitionNotFoundError,
    );
    await expect(host.startWorkflows([good, { ...good, options: { tx: {} } as never }])).rejects.toThrow(
      InvalidOptionError,
    );
    await expect(host.startWorkflows([good, undefined as never])).rejects.toThrow(InvalidOptionError);
    await host.startWorkflow(refund, {}, { id: "taken" });
    calls.length = 0;
    await expect(host.startWorkflows([good, { ...good, options: { id: "taken" } }])).rejects.toThrow(
      WorkflowIdConflictError,
    );
    await expect(
      host.startWorkflows([
        { ...good, options: { id: "twice" } },
        { definition: refund, data: {}, options: { id: "twice" } },
      ]),
    ).rejects.toThrow(WorkflowIdConflictError);
    expect(calls).toEqual([]);
  });
});

describe("publishEvent", () => {
  const approved = { name: "approved", schema: numbers("by") };

  it("stores the event with all its options", async () => {
    const { provider, published } = observed();
    const { host } = client(provider);
    const effectiveAt = new Date("2031-01-01");
    expect(await host.publishEvent(approved, "o-1", { by: 5 }, { id: "e-1", effectiveAt })).toEqual({
      id: "e-1",
      duplicate: false,
    });
    expect(published).toEqual([
      {
        namespace: "default",
        name: "approved",
        key: "o-1",
        eventId: "e-1",
        payloadText: '{"by":5}',
        effectiveAt: effectiveAt.getTime(),
      },
    ]);
  });

  it("delivers an id once", async () => {
    const { host } = client();
    const first = await host.publishEvent("e", "k", 1, { id: "same" });
    const second = await host.publishEvent("e", "k", 1, { id: "same" });
    expect([first.duplicate, second.duplicate]).toEqual([false, true]);
    expect((await host.in("other").publishEvent("e", "k", 1, { id: "same" })).duplicate).toBe(false);
  });

  it("takes an empty key, and no payload", async () => {
    const { provider, published } = observed();
    const { host } = client(provider);
    await host.publishEvent("e", "");
    expect(decode(published[0]?.payloadText ?? "")).toBeUndefined();
    expect(published[0]).toMatchObject({ key: "", effectiveAt: null });
  });

  it("checks the payload against the event's schema and the codec", async () => {
    const { host } = client();
    await expect(host.publishEvent(approved, "k", { by: "ann" })).rejects.toThrow(ValidationError);
    await expect(host.publishEvent("e", "k", { f: () => 1 })).rejects.toMatchObject({ path: "payload.f" });
    const later = { name: "later", schema: laterNumbers("by") };
    await expect(host.publishEvent(later, "k", { by: "ann" })).rejects.toThrow(ValidationError);
    await expect(host.publishEvent(later, "k", { by: 1 })).resolves.toBeDefined();
  });

  it.each([
    ["a blank name", [" ", "k"]],
    ["something that is no event", [{}, "k"]],
    ["a key that is no text", ["e", 5]],
    ["no key", ["e"]],
    ["a long key", ["e", "k".repeat(513)]],
    ["an unknown option", ["e", "k", 1, { effective: 1 }]],
    ["an invalid date", ["e", "k", 1, { effectiveAt: "tomorrow" }]],
    ["a blank id", ["e", "k", 1, { id: "" }]],
  ])("refuses %s", async (_, args) => {
    const { host } = client();
    await expect((host.publishEvent as (...args: unknown[]) => Promise<unknown>).apply(host, args)).rejects.toThrow(
      InvalidOptionError,
    );
  });

  it("publishes a batch of at most 500 in one call of the store", async () => {
    const { provider, calls, published } = observed();
    const { host } = client(provider);
    const results = await host.publishEvents([
      { event: approved, key: "1", payload: { by: 1 } },
      { event: "other", key: "2", options: { id: "x" } },
      { event: "other", key: "2", options: { id: "x" } },
    ]);
    expect(results.map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
    expect(published.map(({ name }) => name)).toEqual(["approved", "other", "other"]);
    expect(calls).toEqual(["publish 3"]);
    const items = Array.from({ length: 501 }, () => ({ event: "e", key: "k" }));
    await expect(host.publishEvents(items)).rejects.toThrow(LimitExceededError);
    expect(await host.publishEvents([])).toEqual([]);
  });
});

describe("a caller's transaction", () => {
  /** A store with a synchronous driver, whose transaction is open only for a moment. */
  function transactional() {
    const provider = memory();
    const tx = { open: false, created: [] as NewWorkflow[], published: [] as NewEvent[] };
    const join = (given: unknown): void => {
      if (given !== tx || !tx.open) throw new InvalidOptionError("not in a transaction");
    };
    const persistence: PersistenceProvider = {
      ...(provider.persistence as PersistenceProvider),
      createIn: (given, workflows) => {
        join(given);
        tx.created.push(...workflows);
        return workflows.map(({ uid, definitionId, version }, index) => ({
          created: true,
          run: index,
          uid,
          definitionId,
          version,
        }));
      },
      publishIn: (given, events) => {
        join(given);
        tx.published.push(...events);
        return events.map(() => ({ number: null, duplicate: false }));
      },
    };
    return { tx, provider: { ...provider, persistence } };
  }

  it("has the start and the event when the call returns its promise", async () => {
    const { tx, provider } = transactional();
    const { host } = client(provider);
    await host.health();
    tx.open = true;
    const started = host.startWorkflow(order, { amount: 1 }, { id: "o", tx, delay: "1h" });
    const all = host.startWorkflows([{ definition: refund, data: {} }], { tx });
    const published = host.publishEvent("e", "k", 1, { tx });
    const both = host.publishEvents([{ event: "f", key: "k" }], { tx });
    tx.open = false;
    expect(tx.created.map(({ definitionId }) => definitionId)).toEqual(["order", "refund"]);
    expect(tx.published.map(({ name }) => name)).toEqual(["e", "f"]);
    expect((await started).created).toBe(true);
    expect((await all).length).toBe(1);
    expect(await published).toMatchObject({ duplicate: false });
    expect((await both).length).toBe(1);
  });

  it("is refused when it is over, and where a schema is asynchronous", async () => {
    const { tx, provider } = transactional();
    const { host } = client(provider);
    await expect(host.startWorkflow(order, {}, { tx })).rejects.toThrow(/not in a transaction.*The host was not open/);
    await expect(host.startWorkflow(order, {}, { tx })).rejects.toThrow(/not in a transaction$/);
    tx.open = true;
    const later = define("later", [], { dataSchema: laterNumbers("a") });
    await expect(host.startWorkflow(later, { a: 1 }, { tx })).rejects.toThrow("asynchronous");
    const event = { name: "later", schema: laterNumbers("a") };
    await expect(host.publishEvent(event, "k", { a: 1 }, { tx })).rejects.toThrow("asynchronous");
    expect([...tx.created, ...tx.published]).toEqual([]);
  });

  it("is refused where the store has none to join", async () => {
    const { host } = client();
    await expect(host.startWorkflow(order, {}, { tx: {} })).rejects.toThrow("`memory` has no transactions");
    await expect(host.publishEvent("e", "k", 1, { tx: {} })).rejects.toThrow(InvalidOptionError);
  });
});

describe("namespaces", () => {
  it("keep workflows and ids apart", async () => {
    const { provider, created } = observed();
    const { host } = client(provider, { namespace: "one" });
    const other = host.in("two");
    await host.startWorkflow(order, { amount: 1 }, { id: "o" });
    const second = await other.startWorkflow(order, { amount: 2 }, { id: "o" });
    expect(second).toMatchObject({ created: true, namespace: "two" });
    expect(created.map(({ namespace }) => namespace)).toEqual(["one", "two"]);
    expect((await host.getWorkflow("o"))?.data).toEqual({ amount: 1 });
    expect((await other.getWorkflow("o"))?.data).toEqual({ amount: 2 });
    expect((await other.in("one").getWorkflow("o"))?.data).toEqual({ amount: 1 });
    expect(await host.in("three").getWorkflow("o")).toBeUndefined();
    expect(await other.countWorkflows()).toBe(1);
    expect(() => host.in(" ")).toThrow(InvalidOptionError);
  });
});

it("a host that is not started opens its providers once, when they are needed, and closes them", async () => {
  const provider = memory();
  const open = vi.fn(provider.open);
  const close = vi.fn(provider.close);
  const { host } = client({ ...provider, open, close });
  expect(open).not.toHaveBeenCalled();
  await Promise.all([host.startWorkflow(order, {}), host.publishEvent("e", "k")]);
  expect(open).toHaveBeenCalledTimes(1);
  await host.stop();
  await host.stop();
  expect(close).toHaveBeenCalledTimes(1);
});
