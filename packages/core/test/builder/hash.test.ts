import { describe, expect, it } from "vitest";
import { retry } from "../../src/builder/retry.ts";
import { workflow } from "../../src/builder/workflow.ts";
import { pack, ship, untyped } from "./steps.ts";

const hashOf = (chain: any): string => chain.build("w", 1).hash;

describe("the hash", () => {
  it("does not change from one release to the next", () => {
    const chain = untyped()
      .then(pack, (data: any) => data.n)
      .as("packed")
      .onError(retry({ interval: "5s", then: "ignore" }))
      .timeout("30s")
      .compensateWith(ship)
      .decide((data: any) => data.n, { 1: (b: any) => b.then(ship), default: (b: any) => b.delay("1h") })
      .waitForAny({ a: "a", b: { event: "b", key: (data: any) => data.id } }, "k", {
        asOf: new Date("2026-01-01"),
        timeout: "1d",
      })
      .graph((g: any) => g.node("x", pack).node("y", pack, { needs: ["x"] }))
      .forEach(
        (data: any) => data.items,
        (b: any) => b.then(pack),
      );
    expect(hashOf(chain)).toMatchInlineSnapshot(`"56bb51d02d29a4ace1179ed92244e2c447d0a407afe3674f1fe77143b1e2ca82"`);
  });

  it("is of the structure: no function's text, no name, no id or version of the workflow, no schema", () => {
    const hash = hashOf(
      untyped()
        .then(() => 1)
        .id("a")
        .ifDo(
          () => true,
          (b: any) => b.delay("60m"),
        ),
    );
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(
      hashOf(
        untyped()
          .then(function other() {})
          .id("a")
          .name("A step")
          .ifDo(
            () => false,
            (b: any) => b.delay("1h"),
          ),
      ),
    ).toBe(hash);
    expect(
      untyped()
        .then(
          class {
            run() {}
          },
        )
        .id("a")
        .ifDo(
          () => 1,
          (b: any) => b.delay(3_600_000),
        )
        .build("other", 7, { description: "d" }).hash,
    ).toBe(hash);
    const schema = { "~standard": { version: 1, vendor: "test", validate: (value: any) => ({ value }) } } as const;
    expect(
      (workflow({ data: schema }) as any)
        .then(() => 1)
        .id("a")
        .ifDo(
          () => true,
          (b: any) => b.delay("1h"),
        )
        .build("w", 1).hash,
    ).toBe(hash);
  });

  it("changes with everything that is structure", () => {
    const chains = [
      untyped().then(pack),
      untyped().then(ship),
      untyped().then(pack).id("pack-it"),
      untyped().then(pack).then(ship),
      untyped().then(ship).then(pack),
      untyped().then(pack, () => 1),
      untyped().then(pack).as("x"),
      untyped().then(pack).as("y"),
      untyped()
        .then(pack)
        .output(() => ({})),
      untyped().then(pack).timeout(1),
      untyped().then(pack).timeout(2),
      untyped().then(pack).onError("ignore"),
      untyped().then(pack).onError(retry()),
      untyped()
        .then(pack)
        .onError(retry({ maxRetries: Infinity })),
      untyped()
        .then(pack)
        .onError(retry({ when: () => true })),
      untyped().then(pack).onCrash("fail"),
      untyped().then(pack).onCrash("retry"),
      untyped().then(pack).compensateWith(ship),
      untyped()
        .then(pack)
        .cancelWhen(() => true),
      untyped()
        .then(pack)
        .cancelWhen(() => true, { proceed: true }),
      untyped().waitFor("pack", "k").id("pack"),
      untyped().waitFor("pack", "l").id("pack"),
      untyped()
        .waitFor("pack", () => "k")
        .id("pack"),
      untyped().waitFor("pack", "k", { asOf: "now" }).id("pack"),
      untyped()
        .waitFor("pack", "k", { asOf: new Date(0) })
        .id("pack"),
      untyped().forEach(
        () => [],
        (b: any) => b.then(pack),
      ),
      untyped().forEach(
        () => [],
        (b: any) => b.then(pack),
        { concurrency: 1 },
      ),
      untyped().decide(() => 1, { 1: (b: any) => b.then(pack) }),
      untyped().decide(() => 1, { 2: (b: any) => b.then(pack) }),
      untyped().decide(() => 1, { default: (b: any) => b.then(pack) }),
      untyped().graph((g: any) => g.node("a", pack).node("b", pack)),
      untyped().graph((g: any) => g.node("a", pack).node("b", pack, { needs: ["a"] })),
      untyped().fail("a"),
      untyped().fail("b"),
      untyped().runWorkflow("a"),
      untyped().runWorkflow("a", undefined, { version: 1 }),
    ];
    expect(new Set(chains.map(hashOf)).size).toBe(chains.length);
  });
});

describe("toJSON", () => {
  it("is the structure with the names of functions, as plain JSON", () => {
    class Reserve {
      run(): void {}
    }
    const definition = untyped()
      .then(Reserve)
      .onError(retry({ maxRetries: Infinity }))
      .decide((data: any) => data.n, { 1: (b: any) => b.then(pack) })
      .build("w", 2, { description: "d" });
    const json = JSON.parse(JSON.stringify(definition));
    expect(json).toEqual(definition.toJSON());
    expect(json).toEqual({
      id: "w",
      version: 2,
      hash: definition.hash,
      description: "d",
      nodes: [
        {
          kind: "step",
          id: "Reserve",
          name: "Reserve",
          body: { class: "Reserve" },
          onError: {
            kind: "retry",
            intervalMs: 1000,
            maxRetries: "Infinity",
            backoff: 1,
            maxIntervalMs: 3_600_000,
            jitter: false,
            then: "fail",
          },
        },
        {
          kind: "decide",
          id: "decide",
          name: "decide",
          value: { function: "" },
          cases: [["1", { nodes: [{ kind: "step", id: "pack", name: "pack", body: { function: "pack" } }] }]],
        },
      ],
    });
  });
});
