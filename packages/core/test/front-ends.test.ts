import { replay, WorkflowHost, type StepContext } from "@wfe/core";
import { defineWorkflow, type Block, type DefinitionNode, type WorkflowDefinition } from "@wfe/core/definition";
import { memory, runToEnd } from "@wfe/core/testing";
import { describe, expect, it } from "vitest";

const block = (...nodes: object[]): Block => ({ nodes: nodes as DefinitionNode[] });
const step = (id: string, more: object = {}): object => ({
  kind: "step",
  id,
  name: id,
  isClass: false,
  body: (_input: unknown, { item, data }: StepContext) => ({ item, seen: data.key }),
  ...more,
});
const forEach = (body: Block, more: object = {}): object => ({
  kind: "for-each",
  id: "each",
  name: "each",
  items: () => [1, 2],
  body,
  concurrency: 2,
  onBranchFailure: "cancel",
  ...more,
});

/** What only front ends other than the builder say. */
describe("definitions of other front ends", () => {
  it("give outputs to the item around them, where they say so", async () => {
    const output = (_data: unknown, { item }: { item: number }): object => ({ key: item });
    const body = block(step("a", { output, outputOfItem: true }), step("b", { as: "last" }));
    const definition = defineWorkflow({ id: "w", version: 1, body: block(forEach(body, { as: "all" })) });
    expect(await runToEnd(definition, { key: 0 })).toEqual({
      key: 0,
      all: [
        { item: 1, seen: 1 },
        { item: 2, seen: 2 },
      ],
    });
  });

  it("leave data behind where a step fails and is gone past, and only there", async () => {
    const fails = (): never => {
      throw Object.assign(new Error("no"), { status: 404 });
    };
    const outputOfFailure = (data: { n: number }, error: Error): object => ({
      n: data.n + 1,
      status: (error as Error & { status: number }).status,
    });
    const of = (more: object): WorkflowDefinition =>
      defineWorkflow({ id: "w", version: 1, body: block(step("a", { body: fails, outputOfFailure, ...more })) });
    expect(await runToEnd(of({ onError: "ignore" }), { n: 1 })).toEqual({ n: 2, status: 404 });
    expect(await runToEnd(of({ onError: "compensate" }), { n: 1 })).toEqual({ n: 1 });
    await using host = new WorkflowHost({ providers: [memory()], workflows: [of({ onError: "ignore" })] });
    await host.start();
    await (await host.startWorkflow(of({ onError: "ignore" }), { n: 1 }, { id: "x" })).result();
    expect(replay(await host.exportWorkflow("x"), of({ onError: "ignore" }))).toEqual([]);
    const others = of({ onError: "ignore", outputOfFailure: () => ({ n: 9 }) });
    expect(replay(await host.exportWorkflow("x"), others)).toMatchObject([{ stepId: "a" }]);
    const tooMuch = (): object => ({ text: "x".repeat(20 * 1024 * 1024) });
    expect(await runToEnd(of({ onError: "ignore", outputOfFailure: tooMuch }), { n: 1 })).toEqual({ n: 1 });
  });

  it("share data between items, where they say so", async () => {
    const output = (data: { sum: number }, { item }: { item: number }): object => ({ sum: data.sum + item });
    const body = block(step("a", { output, outputOfItem: true }));
    const definition = defineWorkflow({ id: "w", version: 1, body: block(forEach(body, { sharesData: true })) });
    expect(await runToEnd(definition, { sum: 10 })).toEqual({ sum: 13 });
  });

  it("map the outputs of a for-each's bodies", async () => {
    const output = (_data: unknown, results: readonly { item: number }[]): object => ({
      items: results.map(({ item }) => item),
    });
    const definition = defineWorkflow({ id: "w", version: 1, body: block(forEach(block(step("a")), { output })) });
    expect(await runToEnd(definition, {})).toEqual({ items: [1, 2] });
  });

  it("are told apart by the fingerprint they give, whatever its order and their nodes' options are", () => {
    const hash = (fingerprint: unknown, timeoutMs: number): string =>
      defineWorkflow({ id: "w", version: 1, body: block(step("a", { timeoutMs })), fingerprint }).hash;
    expect(hash({ a: 1, b: { c: [2], d: 3 } }, 1)).toBe(hash({ b: { d: 3, c: [2] }, a: 1 }, 2));
    expect(hash({ a: 1 }, 1)).not.toBe(hash({ a: 2 }, 1));
    expect(hash({ kind: "x", id: "y", name: "n", schema: 1 }, 1)).not.toBe(
      hash({ kind: "x", id: "y", name: "m", schema: 2 }, 1),
    );
  });
});
