import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Desk } from "./wfe.ts";

// Most of them start several processes.
vi.setConfig({ testTimeout: 120_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

/** Ten steps that each leave a line; the seventh waits until it is told to go on. */
const tenSteps = `
workflow:
  id: ten
  version: 1
  steps:
${Array.from({ length: 10 }, (_, index) => {
  const number = index + 1;
  const wait = number === 7 ? "; while [ ! -f go ]; do sleep 0.05; done" : "";
  return `    - name: step-${number}\n      run: echo at ${number}; echo ${number} >> log.txt${wait}`;
}).join("\n")}
`;

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

describe("wfe run", () => {
  it("runs a file to its end: the result on stdout, all else on stderr", async () => {
    desk.file(
      "w.yaml",
      `
workflow:
  id: hello
  version: 1
  inputs: { name: string }
  steps:
    - name: greet
      run: |
        echo "Hello \${{ inputs.name }} from \${{ var.place }}"
        echo "##wfe[output greeted=true]"
`,
    );
    const { code, stdout, stderr } = await desk.wfe(
      "run",
      "w.yaml",
      "--input",
      '{"name":"Ann"}',
      "--var",
      "place=Rome",
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("greet | Hello Ann from Rome") });
    expect(JSON.parse(stdout)).toMatchObject({ name: "Ann", greeted: true });
  });

  it("goes on with a run that was killed: what has run does not run again", async () => {
    desk.file("ten.yaml", tenSteps);
    const killed = desk.start(["run", "ten.yaml", "--id", "t"]);
    await vi.waitFor(() => expect(readFileSync(desk.path("log.txt"), "utf8")).toContain("7"), 20_000);
    killed.kill("SIGKILL");
    await killed.ended;
    const logs = desk.start(["logs", "t", "--follow"]);
    desk.file("go", "");
    const { code, stderr } = await desk.wfe("resume", "t");
    expect((await logs.ended).stdout).toContain("at 7\nat 8\n");
    const { stdout } = await desk.wfe("logs", "t");
    expect(stdout).toMatch(/at 8\nat 9\nat 10\n$/);
    expect((await logs.ended).stdout).toBe(stdout);
    expect((await desk.wfe("logs", "t", "--step", "step-9")).stdout).toBe("at 9\n");
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("step-10: completed") });
    const log = lines(readFileSync(desk.path("log.txt"), "utf8"));
    expect(log).toEqual(["1", "2", "3", "4", "5", "6", "7", "7", "8", "9", "10"]);
  });

  it("stops in good order at the first interrupt, and says how to go on", async () => {
    desk.file("ten.yaml", tenSteps);
    const interrupted = desk.start(["run", "ten.yaml", "--id", "it's mine", "--grace", "100ms"]);
    await interrupted.says("step-7: started");
    interrupted.kill("SIGINT");
    const { code, stderr } = await interrupted.ended;
    expect(code).toBe(8);
    expect(stderr).toContain("wfe resume 'it'\\''s mine'");
    desk.file("go", "");
    expect((await desk.wfe("resume", "it's mine")).code).toBe(0);
  });

  it("ends at once at the second interrupt", async () => {
    desk.file("ten.yaml", tenSteps);
    const interrupted = desk.start(["run", "ten.yaml", "--id", "t", "--grace", "1h"]);
    await interrupted.says("step-7: started");
    interrupted.kill("SIGINT");
    await interrupted.says("once more stops at once");
    interrupted.kill("SIGINT");
    expect((await interrupted.ended).code).toBe(8);
  });

  it("runs one step alone, or begins at one", async () => {
    desk.file("ten.yaml", tenSteps);
    expect((await desk.wfe("run", "ten.yaml", "--step", "step-3")).code).toBe(0);
    expect((await desk.wfe("run", "ten.yaml", "--from", "step-9")).code).toBe(0);
    expect(lines(readFileSync(desk.path("log.txt"), "utf8"))).toEqual(["3", "9", "10"]);
    const unknown = await desk.wfe("run", "ten.yaml", "--from", "step-11");
    expect(unknown).toMatchObject({ code: 4, stderr: expect.stringContaining("no step `step-11`") });
  });

  it("begins at a vertex of a graph with what needs it", async () => {
    desk.file(
      "graph.yaml",
      `
workflow:
  id: graph
  version: 1
  steps:
    - { name: a, run: echo a >> log.txt }
    - { name: b, run: echo b >> log.txt, needs: [a] }
    - { name: c, run: echo c >> log.txt, needs: [b] }
    - { name: d, run: echo d >> log.txt, needs: [a] }
`,
    );
    expect((await desk.wfe("run", "graph.yaml", "--from", "b")).code).toBe(0);
    expect(lines(readFileSync(desk.path("log.txt"), "utf8"))).toEqual(["b", "c"]);
  });

  it("retries what failed, here", async () => {
    desk.file(
      "w.yaml",
      `
workflow:
  id: failing
  version: 1
  steps:
    - { name: one, run: echo one >> log.txt }
    - name: two
      run: test -f ok || { echo no ok >&2; exit 3; }
    - { name: three, run: echo three >> log.txt }
`,
    );
    const failed = await desk.wfe("run", "w.yaml", "--id", "f", "--json");
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout)).toMatchObject({
      id: "f",
      status: "failed",
      error: { stepId: "two", message: expect.stringContaining("no ok") },
      steps: [
        { id: "one", status: "completed" },
        { id: "two", status: "failed" },
        { id: "three", status: "pending" },
      ],
    });
    expect(await desk.wfe("resume", "f")).toMatchObject({ code: 2, stderr: expect.stringContaining("wfe retry f") });
    desk.file("ok", "");
    const retried = await desk.wfe("retry", "f", "--json");
    expect(retried.code).toBe(0);
    expect(JSON.parse(retried.stdout)).toMatchObject({ status: "completed" });
    expect(lines(readFileSync(desk.path("log.txt"), "utf8"))).toEqual(["one", "three"]);
    expect((await desk.wfe("retry", "f", "--from", "one")).code).toBe(5);
  });

  it("gives up waiting after its time-out, and the run can go on", async () => {
    desk.file("ten.yaml", tenSteps);
    const { code } = await desk.wfe("run", "ten.yaml", "--id", "t", "--timeout", "2s", "--grace", "0ms");
    expect(code).toBe(7);
    desk.file("go", "");
    expect((await desk.wfe("resume", "t")).code).toBe(0);
  });

  it("writes groups where GitHub reads", async () => {
    desk.file(
      "w.yaml",
      "workflow: { id: w, version: 1, steps: [{ name: loud, run: 'echo ::error::not ours; exit 1' }] }",
    );
    const { stderr } = await desk.wfeWith({ isGitHub: true }, "run", "w.yaml");
    expect(stderr).toMatch(
      /::group::loud\n::stop-commands::(\S+)\n::error::not ours\n::\1::\n::endgroup::\n::error title=loud::/,
    );
  });

  it("shows each line of a step that writes many at once", async () => {
    desk.file("w.yaml", "workflow: { id: w, version: 1, steps: [{ name: a, run: seq 1 20000 }] }");
    const all = Array.from({ length: 20_000 }, (_, index) => index + 1);
    const plain = await desk.wfe("run", "w.yaml", "--id", "plain");
    expect(lines(plain.stderr).flatMap((line) => /^a \| (\d+)$/.exec(line)?.slice(1).map(Number) ?? [])).toEqual(all);
    const grouped = await desk.wfeWith({ isGitHub: true }, "run", "w.yaml", "--id", "grouped");
    expect(
      lines(grouped.stderr)
        .filter((line) => /^\d+$/.test(line))
        .map(Number),
    ).toEqual(all);
    const { stdout, stderr } = await desk.wfe("logs", "plain");
    expect(lines(stdout).map(Number)).toEqual(all);
    expect(stderr).toBe("");
  });

  it("runs again when the file changes", async () => {
    desk.file("w.yaml", "workflow: { id: w, version: 1, steps: [{ name: first, run: echo 1 >> log.txt }] }");
    const watching = desk.start(["run", "w.yaml", "--watch"]);
    await watching.says("waiting for a change");
    desk.file("w.yaml", "workflow: { id: w, version: 1, steps: [{ name: second, run: echo 2 >> log.txt }] }");
    await watching.says("second: completed");
    watching.kill("SIGINT");
    watching.kill("SIGKILL");
    await watching.ended;
    expect(lines(readFileSync(desk.path("log.txt"), "utf8"))).toEqual(["1", "2"]);
  });
});
