import { describe, expect, it } from "vitest";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, step } from "./definitions.ts";
import { faulty } from "./faulty.ts";
import { hostOf } from "./hosts.ts";

/** A step whose first attempt takes its host with it, and what becomes of the workflow on the next one. */
async function afterCrash(
  onCrash: "retry" | "fail" | "suspend",
): Promise<{ readonly attempts: number[]; readonly next: Awaited<ReturnType<typeof hostOf>> }> {
  const clock = new TestClock();
  const store = memory({ clock });
  const dying = faulty(store);
  const attempts: number[] = [];
  const definition = define("crash", [
    step("before", () => "done"),
    step("a", (_, ctx) => (attempts.push(ctx.step.attempt), attempts.length === 1 ? new Promise(() => {}) : "again"), {
      onCrash,
    }),
  ]);
  const first = await hostOf([definition], { store: dying, clock, hostClock: dying.mortal(clock) });
  await first.host.startWorkflow(definition, {}, { id: "w" });
  await clock.settle();
  dying.kill();
  const next = await hostOf([definition], { store, clock });
  await clock.advance("30s");
  return { attempts, next };
}

describe("a step that may have been running when its host died", () => {
  it("runs again by default, as a further attempt", async () => {
    const { attempts, next } = await afterCrash("retry");
    expect(await next.host.handle("w").result()).toMatchObject({ a: "again" });
    expect(attempts).toEqual([1, 2]);
  });

  it("fails where that is asked for, without running again", async () => {
    const { attempts, next } = await afterCrash("fail");
    await expect(next.host.handle("w").result()).rejects.toMatchObject({
      cause: { code: "STEP_CRASHED", stepId: "a" },
    });
    expect(attempts).toEqual([1]);
  });

  it("suspends the workflow where that is asked for, and runs again when a person says so", async () => {
    const { attempts, next } = await afterCrash("suspend");
    expect(await next.host.getWorkflow("w")).toMatchObject({ status: "suspended", error: { code: "STEP_CRASHED" } });
    await (await next.host.resumeWorkflow("w")).applied();
    expect(await next.host.handle("w").result()).toMatchObject({ a: "again" });
    expect(attempts.length).toBe(2);
  });

  it("is judged only where it began: the record is made before the body runs", async () => {
    const clock = new TestClock();
    const store = memory({ clock });
    const definition = define("begun", [step("a", () => "done", { onCrash: "fail" })]);
    const { host } = await hostOf([definition], { store, clock });
    const handle = await host.startWorkflow(definition, {});
    await handle.result();
    const { items } = await host.history(handle.id, { limit: 100 });
    const kinds = items.map(({ kind }) => kind);
    expect(kinds.indexOf("step-begun")).toBeGreaterThan(kinds.indexOf("step-scheduled"));
    expect(kinds.indexOf("step-completed")).toBeGreaterThan(kinds.indexOf("step-begun"));
  });
});
