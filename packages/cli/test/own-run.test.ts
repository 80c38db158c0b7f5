import { existsSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Desk } from "./wfe.ts";

// Each starts up to a dozen processes.
vi.setConfig({ testTimeout: 180_000 });

let desk: Desk;
beforeEach(() => {
  desk = new Desk();
});
afterEach(() => desk.clear());

const log = (): string[] =>
  existsSync(desk.path("log"))
    ? readFileSync(desk.path("log"), "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];

const echo = (name: string): string => `{ name: ${name}, run: 'echo "${name} \${{ var.r }} $ME" >> log' }`;

/** Its second step waits until it is told to go on. */
const held = `
workflow:
  id: d
  version: 1
  steps:
    - ${echo("a")}
    - { name: b, run: 'echo "b \${{ var.r }} $ME" >> log; while [ ! -f go ]; do sleep 0.05; done' }
    - ${echo("c")}
`;

/** A run that was killed in its second step. */
async function killed(id: string, region: string, ...more: readonly string[]): Promise<void> {
  const run = desk.start(["run", "d.yaml", "--var", `r=${region}`, "--id", id, ...more], { ME: id });
  await vi.waitFor(() => expect(log()).toContain(`b ${region} ${id}`), 60_000);
  run.kill("SIGKILL");
  await run.ended;
}

describe("a command that runs one workflow", () => {
  it("leaves alone one that was interrupted, with its other variables", async () => {
    desk.file("d.yaml", held);
    await killed("old", "us");
    desk.file("go", "");
    expect((await desk.wfe("run", "d.yaml", "--var", "r=eu", "--id", "new")).code).toBe(0);
    const list = await desk.wfe("list", "--json", "--status", "completed");
    expect((JSON.parse(list.stdout) as { items: { id: string }[] }).items.map(({ id }) => id)).toEqual(["new"]);
    expect(log().filter((line) => line.includes("us"))).toEqual(["a us old", "b us old"]);
    expect((await desk.wfe("resume", "old")).code).toBe(0);
    expect(
      log()
        .filter((line) => line.startsWith("c"))
        .map((line) => line.split(" ")[1]),
    ).toEqual(["eu", "us"]);
  });

  it("leaves others alone where it only applies a call", async () => {
    desk.file("d.yaml", held);
    await killed("old-us", "us");
    await killed("old-fr", "fr");
    const before = log();
    expect(await desk.wfe("suspend", "old-us")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("suspended"),
    });
    expect(await desk.wfe("terminate", "old-us")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("terminated"),
    });
    expect(log()).toEqual(before);
    expect(JSON.parse((await desk.wfe("show", "old-fr", "--json")).stdout)).toMatchObject({
      steps: expect.arrayContaining([expect.objectContaining({ id: "b", status: "running" })]),
    });
  });

  it("runs its own beside others that run at the same time, and its children", async () => {
    desk.file(
      "d.yaml",
      `
workflows:
  - id: outer
    version: 1
    steps:
      - ${echo("a")}
      - { name: pause, type: delay, config: { duration: 1200ms } }
      - { name: kid, type: workflow, config: { workflow: kid } }
      - ${echo("z")}
  - id: kid
    version: 1
    steps:
      - { name: pause, type: delay, config: { duration: 1200ms } }
      - ${echo("k")}
`,
    );
    const regions = ["us", "eu", "us", "eu"];
    const runs = regions.map((region, index) =>
      desk.start(["run", "d.yaml", "--var", `r=${region}`], { ME: `${region}-${index}` }),
    );
    for (const run of runs) expect(await run.ended).toMatchObject({ code: 0 });
    const expected = regions.flatMap((region, index) =>
      ["a", "k", "z"].map((name) => `${name} ${region} ${region}-${index}`),
    );
    expect(log().toSorted()).toEqual(expected.toSorted());
  });

  it("leaves others alone where it runs some of the steps", async () => {
    desk.file("d.yaml", held);
    await killed("old", "us");
    desk.file("go", "");
    expect((await desk.wfe("run", "d.yaml", "--var", "r=eu", "--step", "c")).code).toBe(0);
    expect((await desk.wfe("run", "d.yaml", "--var", "r=eu", "--from", "c")).code).toBe(0);
    expect((await desk.wfe("resume", "old")).code).toBe(0);
    expect(log()).toEqual(["a us old", "b us old", "c eu ", "c eu ", "b us ", "c us "]);
  });
});

describe("a run whose file has changed", () => {
  it("is not gone on with where the step at which it stands is gone, and that is said", async () => {
    desk.file("d.yaml", held);
    await killed("old", "us");
    desk.file("go", "");
    desk.file("d.yaml", held.replace("name: b,", "name: b2,"));
    const refused = await desk.wfe("resume", "old");
    expect(refused).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("it stands at step `b`, which is not in"),
    });
    expect(refused.stderr).not.toContain("wfe resume");
    expect((await desk.wfe("suspend", "old")).stderr).toContain("Here it cannot be applied: the steps of workflow `d`");
    desk.file("before.yaml", held);
    expect((await desk.wfe("resume", "old", "--file", "before.yaml")).code).toBe(8);
    expect((await desk.wfe("resume", "old", "--file", "before.yaml")).code).toBe(0);
    expect(log()).toEqual(["a us old", "b us old", "b us ", "c us "]);
  });

  it("is suspended where a step has become something else, and nobody is told to resume it as it is", async () => {
    desk.file("d.yaml", held);
    await killed("old", "us");
    desk.file("go", "");
    desk.file("d.yaml", held.replace(/name: b, run: .*}/, "name: b, type: saga, steps: [{ name: e, run: 'true' }] }"));
    const ended = await desk.wfe("resume", "old");
    expect(ended).toMatchObject({
      code: 5,
      stderr: expect.stringContaining("definition `d` version 1 was changed since workflow `old` was started"),
    });
    expect(ended.stderr).not.toContain("wfe resume");
    expect(ended.stderr).not.toContain("defect");
    desk.file("d.yaml", held);
    expect((await desk.wfe("resume", "old")).code).toBe(0);
  });

  it("goes on where a step was mended", async () => {
    desk.file("d.yaml", held.replace(/while.*done/, "exit 1"));
    expect((await desk.wfe("run", "d.yaml", "--var", "r=us", "--id", "old")).code).toBe(1);
    desk.file("d.yaml", held.replace(/while.*done/, "echo mended >> log"));
    expect((await desk.wfe("retry", "old")).code).toBe(0);
    expect(log()).toEqual(["a us ", "b us ", "b us ", "mended", "c us "]);
  });
});

describe("what is noted of a run", () => {
  const note = (id: string): unknown => JSON.parse(readFileSync(desk.path(`.wfe/runs/${id}.json`), "utf8"));

  it("stays what it was when the id is used again", async () => {
    desk.file("d.yaml", held);
    await killed("SL", "us");
    const before = note("SL");
    const conflict = { code: 5, stderr: expect.stringContaining("wfe resume SL") as string };
    expect(await desk.wfe("run", "d.yaml", "--var", "r=us", "--id", "SL", "--step", "a")).toMatchObject(conflict);
    expect(await desk.wfe("run", "d.yaml", "--var", "r=eu", "--id", "SL")).toMatchObject(conflict);
    desk.file("n2.yaml", "workflow: { id: n2, version: 1, steps: [{ name: a, run: 'true' }] }");
    expect(await desk.wfe("run", "n2.yaml", "--id", "SL")).toMatchObject(conflict);
    expect(note("SL")).toEqual(before);
    desk.file("go", "");
    expect((await desk.wfe("run", "d.yaml", "--var", "r=us", "--id", "SL")).code).toBe(0);
    expect(log()).toEqual(["a us SL", "b us SL", "b us ", "c us "]);
  });

  it("is nothing where no run came of it", async () => {
    desk.file("d.yaml", "workflow: { id: d, version: 1, inputs: { n: number }, steps: [{ name: a, run: 'true' }] }");
    expect((await desk.wfe("run", "d.yaml", "--id", "x")).code).toBe(2);
    expect(existsSync(desk.path(".wfe/runs/x.json"))).toBe(false);
    expect((await desk.wfe("run", "d.yaml", "--id", "x", "--input", '{"n":1}')).code).toBe(0);
    expect(note("x")).toMatchObject({ id: "x" });
  });

  it("gives way to the file that is named, of a run of some steps too", async () => {
    desk.file("d.yaml", held);
    await killed("part", "us", "--from", "b");
    desk.file("go", "");
    desk.file("moved.yaml", held);
    desk.file("d.yaml", "workflow: { id: other, version: 1, steps: [{ name: a, run: 'true' }] }");
    expect((await desk.wfe("resume", "part")).code).toBe(4);
    expect((await desk.wfe("resume", "part", "--file", "moved.yaml")).code).toBe(0);
    expect(log()).toEqual(["b us part", "b us ", "c us "]);
  });
});

describe("wfe terminate", () => {
  it("ends a workflow that stands in its undoing", async () => {
    desk.file(
      "d.yaml",
      `
workflow:
  id: d
  version: 1
  steps:
    - name: trip
      type: saga
      steps:
        - { name: a, run: 'true', compensate: { name: undo, run: exit 1 } }
        - { name: b, run: exit 1 }
`,
    );
    expect((await desk.wfe("run", "d.yaml", "--id", "x")).code).toBe(1);
    expect((await desk.wfe("show", "x")).stdout).toMatch(/terminate/);
    expect(await desk.wfe("terminate", "x")).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("x is terminated"),
    });
    expect(await desk.wfe("terminate", "x")).toMatchObject({ code: 0 });
    expect(await desk.wfe("suspend", "x")).toMatchObject({ code: 5 });
  });
});
