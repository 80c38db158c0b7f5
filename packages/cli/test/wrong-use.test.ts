import { existsSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Desk } from "./wfe.ts";

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const leavesLog = "workflow: { id: w, version: 1, steps: [{ name: a, run: echo a >> log.txt }] }";

describe("wrong use of the command", () => {
  it.each([
    ["run", "--timeout"],
    ["run", "--grace"],
    ["resume", "--timeout"],
    ["retry", "--grace"],
    ["worker", "--grace"],
  ])("`%s` refuses a %s that is no length of time before anything begins", async (command, option) => {
    const file = desk.file("w.yaml", leavesLog);
    const { code, stderr } = await desk.wfe(command, file, option, "xx");
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(`'${option} <duration>'`) });
    expect(stderr).toContain('such as "250ms"');
    expect([existsSync(desk.path("log.txt")), existsSync(desk.path(".wfe"))]).toEqual([false, false]);
  });
});
