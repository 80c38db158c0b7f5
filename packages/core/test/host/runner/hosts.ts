import { onTestFinished } from "vitest";
import type { WorkflowDefinition } from "../../../src/definition/definition.ts";
import type { WorkflowHostOptions } from "../../../src/host/client/host-options.ts";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import type { Clock, Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";

export interface Logged {
  readonly level: string;
  readonly message: string;
  readonly fields: Record<string, unknown> | undefined;
}

export interface Hosted {
  readonly host: WorkflowHost;
  readonly clock: TestClock;
  readonly store: Provider;
  readonly logged: Logged[];
}

/** A started host on a store in memory, stopped when the test has ended. */
export async function hostOf(
  workflows: readonly WorkflowDefinition[],
  options: Partial<Omit<WorkflowHostOptions, "clock">> & {
    readonly store?: Provider;
    readonly clock?: TestClock;
    /** Its own view of the clock. */ readonly hostClock?: Clock;
  } = {},
): Promise<Hosted> {
  const { store = memory(), clock = new TestClock(), hostClock = clock, ...rest } = options;
  const logged: Logged[] = [];
  const write = (level: string) => (message: string, fields?: Record<string, unknown>) =>
    void logged.push({ level, message, fields });
  const log = { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
  const host = new WorkflowHost({ providers: [store], clock: hostClock, log, workflows, ...rest });
  onTestFinished(async () => {
    void host.stop({ timeout: 0 }).catch(() => {});
    await clock.advance("20s").catch(() => {});
  });
  await host.start();
  return { host, clock, store, logged };
}
