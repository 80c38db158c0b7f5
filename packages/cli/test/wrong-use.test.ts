import { existsSync, mkdirSync } from "node:fs";
import { LimitExceededError, NewerFormatError, WfeError } from "@wfe/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { exitCodeOf } from "../src/exit-codes.ts";
import { Desk } from "./wfe.ts";

// Most of them start several processes.
vi.setConfig({ testTimeout: 120_000 });

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

  it.each([
    [".", ". is a folder: name a file in it"],
    ["x.json", "x.json cannot be read as workflows: expected YAML, whose name ends in .yaml or .yml, or a module"],
    ["README.md", "README.md cannot be read as workflows"],
    ["noending", "noending cannot be read as workflows"],
    ["syntax.ts", /syntax\.ts cannot be loaded: .+/],
    ["package.ts", /package\.ts cannot be loaded: .*no-such-package/],
    ["throws.ts", "throws.ts cannot be loaded: not today"],
    ["five.ts", "five.ts cannot be loaded: 5"],
  ])("`wfe run %s` says what is wrong with the file", async (file, said) => {
    desk.file("x.json", "{}");
    desk.file("README.md", "# read me");
    desk.file("noending", leavesLog);
    desk.file("syntax.ts", "export const a = ;");
    desk.file("package.ts", 'import "no-such-package";');
    desk.file("throws.ts", 'throw new Error("not today");');
    desk.file("five.ts", "throw 5;");
    const { code, stderr } = await desk.wfe("run", file);
    expect({ code, stderr }).toEqual({ code: 3, stderr: expect.stringMatching(said) });
    expect(stderr).not.toContain("defect");
  });

  it("tells where in a module it is", async () => {
    desk.file("throws.ts", '\nthrow new Error("not today");');
    desk.file("syntax.ts", "\nexport const a = ;");
    const [throws, syntax] = await Promise.all(
      ["throws.ts", "syntax.ts"].map(async (file) => (await desk.start(["run", file]).ended).stderr),
    );
    expect(throws).toMatch(/^error: throws\.ts cannot be loaded: not today \(file:.*throws\.ts:2:\d+\)\n$/);
    expect(syntax).toMatch(/^error: syntax\.ts cannot be loaded: .+ \(.*syntax\.ts:2\)\n$/);
  });

  it("is told of files and limits as well, and is no defect", async () => {
    expect(await desk.wfe("init", "nodir/x.yaml")).toMatchObject({
      code: 4,
      stderr: "error: there is no folder nodir: make it first\n",
    });
    mkdirSync(desk.path("folder.yaml"));
    expect((await desk.wfe("run", "folder.yaml")).code).toBe(3);
    desk.file("w.yaml", leavesLog);
    const file = desk.file("big.json", JSON.stringify({ text: "x".repeat(9 * 1024 * 1024) }));
    expect(await desk.wfe("run", "w.yaml", "--input", `@${file}`)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/^error: .*8 MiB|^error: .*8388608/),
    });
  });

  it("and every error of WFE's own has a code that the documentation names", () => {
    expect([
      exitCodeOf(new WfeError("DENO_NOT_INSTALLED", "there is no deno")),
      exitCodeOf(new LimitExceededError("too large")),
      exitCodeOf(new NewerFormatError("newer")),
      exitCodeOf(Object.assign(new Error("EACCES"), { code: "EACCES", syscall: "open" })),
      exitCodeOf(new TypeError("ours")),
    ]).toEqual([2, 2, 6, 2, 70]);
  });

  it("is `logs` of a step that is not there: the steps that are there are told", async () => {
    desk.file(
      "w.yaml",
      "workflow: { id: w, version: 1, steps: [{ name: a, run: echo 1 }, { name: b, run: exit 1 }, { name: c, run: 'true' }] }",
    );
    expect((await desk.wfe("run", "w.yaml", "--id", "w1")).code).toBe(1);
    expect(await desk.wfe("logs", "w1", "--step", "nosuch")).toMatchObject({
      code: 4,
      stdout: "",
      stderr: "error: w1 has no step `nosuch`; it has `a`, `b`, `c`\n",
    });
    expect(await desk.wfe("logs", "w1", "--step", "nosuch", "--follow")).toMatchObject({ code: 4, stdout: "" });
    expect(await desk.wfe("logs", "w1", "--step", "b")).toMatchObject({ code: 0, stdout: "" });
    expect(await desk.wfe("logs", "w1", "--step", "a")).toMatchObject({ code: 0, stdout: "1\n" });
  });
});
