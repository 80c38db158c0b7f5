import { describe, expect, it } from "vitest";
import { InvalidOptionError } from "../../../src/errors.ts";
import { checkHostOptions } from "../../../src/host/client/host-options.ts";
import { checkKey, checkName } from "../../../src/host/client/names.ts";
import type { Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";

function check(options: Record<string, unknown>): ReturnType<typeof checkHostOptions> {
  return checkHostOptions({ providers: [memory()], ...options });
}

const bare = { name: "bare", open: async () => {}, close: async () => {}, ping: async () => {} };

describe("the options of a host", () => {
  it("have defaults for everything but the providers", () => {
    const { namespace, allowRedefine, settings, workflows } = check({});
    expect({ namespace, allowRedefine, workflows }).toEqual({
      namespace: "default",
      allowRedefine: false,
      workflows: [],
    });
    expect(settings).toMatchObject({
      concurrency: 500,
      leaseMs: 10_000,
      maxLoneDeaths: 3,
      graceMs: 30_000,
      middleware: [],
      retention: {},
      limits: {
        valueBytes: 1_048_576,
        dataBytes: 8_388_608,
        depth: 200,
        transitions: 100_000,
        childDepth: 50,
        inboxDeliveries: 10_000,
        batch: 500,
        outputLineBytes: 65_536,
      },
    });
    class Step {
      run() {
        return 1;
      }
    }
    expect(settings.createStep(Step)).toBeInstanceOf(Step);
  });

  it("are read with durations, and override single limits", () => {
    const { settings } = check({
      lease: "30s",
      retention: { workflows: "30d", events: 5 },
      limits: { valueBytes: 10 },
      maxDeaths: 1,
    });
    expect(settings).toMatchObject({
      leaseMs: 30_000,
      retention: { workflowsMs: 2_592_000_000, eventsMs: 5 },
      maxLoneDeaths: 1,
    });
    expect(settings.limits).toMatchObject({ valueBytes: 10, depth: 200 });
  });

  it.each([
    ["an unknown option", { concurency: 5 }, "did you mean `concurrency`?"],
    ["an unknown limit", { limits: { values: 5 } }, "`limits`: there is no `values`"],
    ["an unknown retention", { retention: { workflow: "1d" } }, "did you mean `workflows`?"],
    ["a fraction", { concurrency: 1.5 }, "`concurrency` must be a whole number from 1"],
    ["too small a number", { concurrency: 0 }, "got 0"],
    ["a number as text", { concurrency: "5" }, 'got "5"'],
    ["a lease that is no duration", { lease: "10 seconds" }, "`lease` must be a duration"],
    ["a lease that is too short", { lease: 5 }, "`lease` must be from 100"],
    ["a limit beyond its bound", { limits: { depth: 501 } }, "`limits.depth` must be a whole number from 1 to 500"],
    ["middleware that is no function", { middleware: [5] }, "`middleware[0]` must be a function"],
    ["workflows that are no array", { workflows: {} }, "`workflows` must be an array"],
    ["a blank namespace", { namespace: " " }, "must not be blank"],
    ["a clock that is none", { clock: Date }, "`clock` must have"],
    ["a log that is none", { log: { info: () => {} } }, "`debug()`"],
    ["workflows to take that are no array", { only: "x" }, "`only` must be an array"],
    ["a workflow to take that is no id", { only: ["x", 5] }, "`only[1]` must be a string"],
    ["a blank workflow to take", { only: [" "] }, "`only[0]` must not be blank"],
    ["no workflow to take", { only: [] }, "`only` names no workflow"],
    ["a flag that is none", { allowRedefine: "yes" }, "must be true or false"],
    ["a name that is none", { name: 7 }, "`name` must be a string"],
    ["clock and runtime", { clock: new TestClock(), runtime: {} }, "exclude each other"],
    ["no providers", { providers: [] }, "an empty array"],
    ["providers that are no array", { providers: memory() }, "must be an array"],
    ["a provider that was not called", { providers: [memory] }, "call it, as in `memory(...)`"],
    ["something that is no provider", { providers: [{ name: "x" }] }, "`providers[0]` must be a provider"],
  ])("refuse %s", (_, options, message) => {
    expect(() => check(options)).toThrow(InvalidOptionError);
    expect(() => check(options)).toThrow(message);
  });

  it("name the interface that no provider brings", () => {
    const { persistence, lock } = memory();
    expect(() => check({ providers: [bare] })).toThrow("none of the providers (`bare`) brings `persistence`");
    expect(() => check({ providers: [{ ...bare, persistence }] })).toThrow("brings `lock`");
    expect(() => check({ providers: [{ ...bare, persistence, lock }] })).toThrow("brings `queue`");
  });

  it("let a later provider override an earlier one, per interface", () => {
    const first = memory();
    const second = memory({ name: "second" });
    const onlyLock = { ...bare, lock: second.lock } as Provider;
    const { providers } = check({ providers: [first, onlyLock] });
    expect(providers.persistence).toBe(first.persistence);
    // It stands beside the store, and is not given as it is: see `boundLock`.
    expect(providers.lock).not.toBe(first.lock);
    expect(providers.lock.name).toBe(second.lock?.name);
    expect(providers.queue).toBe(first.queue);
    expect(providers.lifecycle).toBe(first.lifecycle);
    expect(providers.list.length).toBe(2);
  });

  it("tell hosts of one name apart", () => {
    const one = check({ name: "web" }).hostName;
    expect(one).toMatch(/^web-.{6}$/);
    expect(check({ name: "web" }).hostName).not.toBe(one);
  });
});

describe("names", () => {
  it("may have 512 bytes and any characters but NUL", () => {
    expect(checkName("x", "é".repeat(256))).toBe("é".repeat(256));
    expect(checkName("x", "order/1 ✓ 𝕏")).toBe("order/1 ✓ 𝕏");
    expect(checkKey("x", "")).toBe("");
  });

  it.each([
    ["blank ones", "  \t"],
    ["empty ones", ""],
    ["long ones", "é".repeat(257)],
    ["NUL", "a\0b"],
    ["half a character", "a\ud800"],
    ["numbers", 5],
    ["nothing", undefined],
  ])("may not be %s", (_, name) => {
    expect(() => checkName("an id", name)).toThrow(InvalidOptionError);
  });
});
