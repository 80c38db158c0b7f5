import { describe, expect, it } from "vitest";
import type { DefinitionNode } from "../../../src/definition/nodes.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, step } from "./definitions.ts";
import { hostOf } from "./hosts.ts";

type OnCrash = "retry" | "fail" | "suspend";

/** A step that obeys its signal, as `fetch(url, { signal })` does: what it asked for may have arrived. Its second body gives a result. */
function payment(attempts: number[], onCrash: OnCrash, ...more: DefinitionNode[]): ReturnType<typeof define> {
  const pay = step(
    "pay",
    (_, ctx) => {
      attempts.push(ctx.step.attempt);
      if (attempts.length > 1) return "paid";
      return new Promise((_resolve, reject) => {
        ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
      });
    },
    { onCrash },
  );
  return define("pay", [pay, ...more]);
}

/** The host is stopped, and another one goes on. */
async function stopped(onCrash: OnCrash): Promise<Shown> {
  const clock = new TestClock();
  const store = memory({ clock });
  const attempts: number[] = [];
  const definition = payment(attempts, onCrash);
  const { host } = await hostOf([definition], { store, clock });
  await host.startWorkflow(definition, {}, { id: "w" });
  await clock.settle();
  const stopping = host.stop({ timeout: 1_000 });
  await clock.advance("5s");
  await stopping;
  const next = await hostOf([definition], { store, clock });
  await clock.advance("30s");
  return { attempts, ...next, clock };
}

/** The lease cannot be renewed for a while, and then it can. */
async function inDoubt(onCrash: OnCrash): Promise<Shown> {
  const clock = new TestClock();
  const attempts: number[] = [];
  const definition = payment(attempts, onCrash);
  const store = memory({ clock });
  const lock = store.lock as NonNullable<typeof store.lock>;
  let isDown = false;
  const renewLeases: typeof lock.renewLeases = (leases) =>
    isDown ? Promise.reject(new Error("no route")) : lock.renewLeases(leases);
  const failing = { ...store, lock: { ...lock, renewLeases } };
  const made = await hostOf([definition], { store: failing, clock });
  await made.host.startWorkflow(definition, {}, { id: "w" });
  await clock.advance("1s");
  isDown = true;
  await clock.advance("8s");
  isDown = false;
  await clock.advance("10s");
  return { attempts, ...made, clock };
}

/** A person suspends the workflow, and resumes it. */
async function suspended(onCrash: OnCrash): Promise<Shown> {
  const clock = new TestClock();
  const attempts: number[] = [];
  const definition = payment(attempts, onCrash);
  const made = await hostOf([definition], { clock, store: memory({ clock }) });
  await made.host.startWorkflow(definition, {}, { id: "w" });
  await clock.settle();
  await made.host.suspendWorkflow("w");
  await clock.advance("1s");
  await made.host.resumeWorkflow("w");
  await clock.advance("1s");
  return { attempts, ...made, clock };
}

type Shown = Awaited<ReturnType<typeof hostOf>> & { readonly attempts: number[]; readonly clock: TestClock };

describe.each([
  ["its host was stopped", stopped],
  ["its host's lease was in doubt", inDoubt],
  ["its workflow was suspended", suspended],
] as const)("a body that obeyed its signal, since %s", (_, shown) => {
  it("runs again by default, as the same attempt", async () => {
    const { attempts, host } = await shown("retry");
    expect(await host.handle("w").result()).toMatchObject({ pay: "paid" });
    expect(attempts).toEqual([1, 1]);
  });

  it("fails where `onCrash` says so, and does not run again", async () => {
    const { attempts, host } = await shown("fail");
    await expect(host.handle("w").result()).rejects.toMatchObject({ cause: { code: "STEP_CRASHED", stepId: "pay" } });
    expect(attempts).toEqual([1]);
    const { items } = await host.history("w", { limit: 100 });
    expect(items.map(({ kind }) => kind)).toContain("attempts-abandoned");
  });

  it("suspends the workflow where `onCrash` says so, and runs again when a person resumes it", async () => {
    const { attempts, host, clock } = await shown("suspend");
    expect(attempts).toEqual([1]);
    expect(await host.getWorkflow("w")).toMatchObject({ status: "suspended", error: { code: "STEP_CRASHED" } });
    await host.resumeWorkflow("w");
    await clock.advance("1s");
    expect(await host.handle("w").result()).toMatchObject({ pay: "paid" });
    expect(attempts.length).toBe(2);
  });
});
