import { describe, expect, it } from "vitest";
import type { WorkflowBuilder } from "../../src/builder/types/workflow-builder.ts";
import { InvalidOptionError } from "../../src/errors.ts";
import { begin, bill, type Data, idsOf, pack, ship, untyped } from "./steps.ts";

describe("a chain", () => {
  it("never changes, so its beginning may be used again", () => {
    const common = begin.then(pack).as("packed");
    const first = common.then(ship).build("first", 1);
    const second = common.name("Pack it").then(bill).build("second", 1);
    expect(idsOf(first)).toEqual(["pack", "ship"]);
    expect(idsOf(second)).toEqual(["Pack it", "bill"]);
    expect(idsOf(common.build("third", 1))).toEqual(["pack"]);
    expect(Object.isFrozen(common)).toBe(true);
  });

  it("may be built twice, to equal definitions", () => {
    const chain = begin.then(pack).saga((b) => b.then(ship));
    expect(chain.build("w", 1).hash).toBe(chain.build("w", 1).hash);
  });

  it("takes in a fragment, in any chain and body", () => {
    const charged = (b: WorkflowBuilder<{ n: number }>) =>
      b.startWith(pack).as("packed").then(ship).compensateWith(bill);
    const first = begin.use(charged).then(bill).build("first", 1);
    const second = begin
      .then(bill)
      .saga((b) => b.use(charged).then(pack))
      .build("second", 1);
    expect(idsOf(first)).toEqual(["bill", "pack", "ship", "ship/compensation"]);
    expect(idsOf(second)).toEqual(["bill", "pack", "pack-2", "saga", "ship", "ship/compensation"]);
  });

  it("takes the same body twice", () => {
    const body = (b: WorkflowBuilder<Data>) => b.then(pack);
    const definition = untyped()
      .ifDo(() => true, body, body)
      .build("w", 1);
    expect(idsOf(definition)).toEqual(["if", "if/pack", "pack"]);
  });
});

describe("awaiting a builder", () => {
  const message = /a workflow builder is not a promise: do not await it/;

  it("is refused", async () => {
    await expect((async () => (await untyped().then(pack)) as unknown)()).rejects.toThrow(message);
    await expect((async () => await untyped())()).rejects.toThrow(message);
  });

  it("is refused where an async function returns it, and in Promise.resolve", async () => {
    await expect((async () => untyped().delay(1))()).rejects.toThrow(InvalidOptionError);
    await expect(Promise.resolve(untyped().then(pack))).rejects.toThrow(message);
  });

  it("is told from a step and an input map, however they are made", () => {
    const step = (input: number): number => input;
    const chains = [
      untyped().then(step, (data: Data) => data.n),
      untyped().then(step.bind(undefined), step.bind(undefined)),
      untyped().then(
        (input: number) => input,
        (data: Data) => data.n,
      ),
      untyped().then(Math.abs, Math.abs),
    ];
    for (const chain of chains) expect(chain.build("w", 1).body.nodes).toHaveLength(1);
  });
});
