import type { Awaitable, Provider, Runtime } from "../../providers/index.ts";
import { InvalidOptionError } from "../../providers/index.ts";
import type { TestClock } from "../test-clock.ts";
import { testRuntime } from "../test-runtime.ts";

/**
 * What a suite needs to know of a provider.
 *
 * ```ts
 * import { describe, it } from "vitest";
 * import { persistenceConformance } from "@wfe/core/testing";
 *
 * persistenceConformance({ name: "mine", test: { describe, it }, create: () => mine(temporaryFile()) });
 * ```
 */
export interface ConformanceHarness {
  /** What the cases are listed under. */
  readonly name: string;
  /**
   * Gives a provider over a store of its own, which is empty. The suite opens it with `runtime`, and closes it. Its clock
   * stands still until a case moves it, and stands in for the store's.
   */
  readonly create: (runtime: Runtime) => Awaitable<Provider>;
  /**
   * Gives another provider over the data of an earlier one, as another process would have it; the earlier one may be open
   * still, or closed for good. A provider that serves many hosts may give the same one again. Absent: the cases that need
   * one are left out.
   */
  readonly reopen?: (provider: Provider, runtime: Runtime) => Awaitable<Provider>;
  /** Called when a case is over and all its providers are closed, with the one that `create` gave. */
  readonly destroy?: (provider: Provider) => Awaitable<void>;
  /** The runner's functions, of vitest, jest, node:test... Default: the global ones. */
  readonly test?: TestFunctions;
}

export interface TestFunctions {
  readonly describe: (name: string, body: () => void) => void;
  /** Node's own runner knows no time-out in this place, and needs none. */
  readonly it: (name: string, body: () => Promise<void>, timeoutMs?: number) => void;
}

/** What one case has: a provider, open, over an empty store. */
export interface OpenProvider {
  readonly clock: TestClock;
  readonly runtime: Runtime;
  readonly provider: Provider;
  /** Another provider over the same data, open, or undefined where the harness has none. It is closed after the case. */
  readonly again: (() => Promise<Provider>) | undefined;
  /** Closes everything that is open. What is closed already is not closed again after the case. */
  readonly close: () => Promise<void>;
}

/** Two minutes: enough for ten thousand schedules on a slow disk. */
const caseTimeoutMs = 120_000;

export function testFunctionsOf(harness: ConformanceHarness): TestFunctions {
  if (harness.test !== undefined) return harness.test;
  const { describe, it } = globalThis as unknown as Partial<TestFunctions>;
  if (describe === undefined || it === undefined) {
    throw new InvalidOptionError("there is no global `describe` and `it` here: pass your runner's as `test`");
  }
  return { describe, it };
}

/** Declares a case: `body` runs with a provider of its own, which is closed and destroyed after it, whatever happens. */
export function declareCase(
  harness: ConformanceHarness,
  test: TestFunctions,
  name: string,
  body: (open: OpenProvider) => Promise<void>,
): void {
  test.it(name, () => runCase(harness, body), caseTimeoutMs);
}

async function runCase(harness: ConformanceHarness, body: (open: OpenProvider) => Promise<void>): Promise<void> {
  const runtime = testRuntime();
  const { clock } = runtime;
  const first = await harness.create(runtime);
  const opened: Provider[] = [];
  const open = async (provider: Provider): Promise<Provider> => {
    await provider.open({ runtime });
    opened.push(provider);
    return provider;
  };
  const close = async (): Promise<void> => {
    for (const provider of opened.splice(0).toReversed()) await provider.close();
  };
  const reopen = harness.reopen;
  try {
    const provider = await open(first);
    const again = reopen === undefined ? undefined : async () => open(await reopen(provider, runtime));
    await body({ clock, runtime, provider, again, close });
  } finally {
    await close();
    await harness.destroy?.(first);
  }
}
