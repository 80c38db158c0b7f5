import { describe, expect, it } from "vitest";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, delay, step } from "./definitions.ts";
import { hostOf } from "./hosts.ts";

describe("a definition that was changed under its id and version", () => {
  it("is named as the reason where the step at which a workflow stands is gone, with what to do", async () => {
    const store = memory();
    const clock = new TestClock();
    const before = define("d", [delay("pause", "5m"), step("z", () => "z")]);
    const first = await hostOf([before], { store, clock });
    await first.host.startWorkflow(before, {}, { id: "w" });
    await clock.settle();
    const stopped = first.host.stop({ timeout: 0 });
    await clock.advance("10s");
    await stopped;

    const second = await hostOf([define("d", [step("a", () => 1)])], { store, clock, allowRedefine: true });
    await clock.advance("10m");
    const { status, error } = (await second.host.getWorkflow("w")) ?? {};
    expect({ status, error }).toMatchObject({ status: "suspended", error: { code: "CORRUPTED_RECORD" } });
    expect(error?.message).toContain(
      "definition `d` version 1 was changed since workflow `w` was started: it stands at step `pause`, which is not there any more. Give the host",
    );
    const third = await hostOf([before], { store, clock });
    await second.host.stop({ timeout: 0 });
    await third.host.resumeWorkflow("w");
    await clock.advance("10m");
    expect(await third.host.getWorkflow("w")).toMatchObject({ status: "completed", data: { z: "z" } });
  });
});
