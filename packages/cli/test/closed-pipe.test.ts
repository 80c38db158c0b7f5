import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Desk } from "./wfe.ts";

const bin = fileURLToPath(new URL("../src/bin.ts", import.meta.url));

// Most of them start several processes.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

/** The command in a pipe whose other end closes after its first line. Gives that line, what else was said, and the exit code. */
function intoHead(pipe: "both" | "stdout", ...args: readonly string[]): readonly [string, string, string] {
  const command = [process.execPath, "--conditions=wfe-source", bin, ...args].map((word) => `'${word}'`).join(" ");
  const redirect = pipe === "both" ? "2>&1" : "";
  const { stdout, stderr } = spawnSync("sh", ["-c", `{ ${command}; echo $? > code.txt; } ${redirect} | head -n 1`], {
    cwd: desk.folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", GITHUB_ACTIONS: "" },
  });
  return [stdout, stderr, readFileSync(desk.path("code.txt"), "utf8").trim()];
}

describe("a pipe that closes", () => {
  it("ends no run, and no command that reads ends badly", async () => {
    desk.file(
      "w.yaml",
      `
workflow:
  id: w
  version: 1
  steps:
    - name: a
      run: for i in 1 2 3 4 5; do echo $i; sleep 0.1; done; echo a >> log.txt
    - name: b
      run: for i in $(seq 1 900); do echo "line $i of what this step has to say"; done; echo b >> log.txt
`,
    );
    const [said, , code] = intoHead("both", "run", "w.yaml", "--id", "w1");
    expect([said, code]).toEqual(["workflow w1\n", "0"]);
    expect(readFileSync(desk.path("log.txt"), "utf8")).toBe("a\nb\n");

    expect(intoHead("stdout", "logs", "w1")).toEqual(["1\n", "", "0"]);
    expect(intoHead("stdout", "show", "w1")).toEqual(["id:         w1\n", "", "0"]);
  }, 60_000);

  it("ends `logs --follow`, whose lines nobody would see", async () => {
    desk.file(
      "w.yaml",
      "workflow: { id: w, version: 1, steps: [{ name: a, run: 'while [ ! -f go ]; do echo x; sleep 0.1; done' }] }",
    );
    const run = desk.start(["run", "w.yaml", "--id", "w1"]);
    await run.says("a | x");
    expect(intoHead("stdout", "logs", "w1", "--follow")).toEqual(["x\n", "", "0"]);
    desk.file("go", "");
    expect((await run.ended).code).toBe(0);
  }, 60_000);
});
