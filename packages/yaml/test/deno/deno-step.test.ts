import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import { memory, runToEnd } from "@wfe/core/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startDeno } from "../../src/deno/deno-process.ts";
import { runDeno } from "../../src/deno/run-deno.ts";
import { SpareProcesses } from "../../src/deno/spares.ts";
import { loadWorkflow, parseWorkflow, type ParseOptions } from "../../src/index.ts";
import { describeDeno } from "./has-deno.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wfe-deno-step-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = (steps: string): string => `workflow:\n  id: w\n  version: 1\n  steps:\n${steps.replace(/^/gm, "    ")}`;
const load = (steps: string, options: ParseOptions = {}): ReturnType<typeof parseWorkflow> =>
  parseWorkflow(text(steps), {}, { file: join(folder, "w.yaml"), ...options });

describeDeno("a deno step of a workflow", () => {
  it("reads the data, sets outputs, and tells what it was denied", async () => {
    const definition = load(
      [
        "- name: build",
        "  run: echo built",
        "- name: notify",
        "  type: deno",
        "  config:",
        "    script: |",
        '      const built: string = Wfe.getData("build.stdout");',
        '      Wfe.setOutput("message", `done: ${built.trim()}`);',
        '      output("all", [Wfe.getData().n, inputs().n, Deno.env.get("MODE")]);',
        '      log("hello", { a: 1 });',
        '      try { await fetch("https://example.com/") } catch (error) { log(error.message) }',
        "    env: { MODE: fast }",
        "- name: use",
        '  run: echo "$MESSAGE" ${{ steps.notify.outputs.all[0] }}',
      ].join("\n"),
    );
    const chunks: string[] = [];
    await using host = new WorkflowHost({ providers: [memory()], workflows: [definition] });
    host.on("step.output", (event) => chunks.push(`${event.stream}: ${event.chunk}`));
    await host.start();
    const data = (await (await host.startWorkflow(definition, { n: 7 })).result()) as Record<string, unknown>;
    expect(data).toMatchObject({ message: "done: built", all: [7, 7, "fast"], "use.stdout": "done: built 7\n" });
    expect(chunks).toContain("stdout: hello { a: 1 }\n");
    expect(chunks).toContain("audit: denied: net example.com:443\n");
    expect(chunks.join("")).toContain("Permission denied: Requires net access");
  });

  it("has item and matrix, and inputs of its own", async () => {
    const definition = load(
      "- name: m\n  type: deno\n  matrix: { node: [20, 22] }\n  inputs: { who: '${{ inputs.name }}' }\n  config:\n    script: 'output(\"got\", [Wfe.matrix, Wfe.item, inputs()])'\n  outputs: [{ name: got }]\n- name: after\n  type: transform\n  config: { set: { all: '${{ steps.m.outputs }}' } }",
    );
    const data = (await runToEnd(definition, { name: "ann" })) as { all: { got: unknown[] }[] };
    expect(data.all.map(({ got }) => [got[0], got[2]])).toEqual([
      [{ node: 20 }, { who: "ann" }],
      [{ node: 22 }, { who: "ann" }],
    ]);
  });

  it("fails with the script's own message, place and stack", async () => {
    writeFileSync(
      join(folder, "fail.ts"),
      "interface A { b: string }\n\nfunction inner(): never {\n  throw new Error('no way');\n}\ninner();\n",
    );
    const failure = (await runToEnd(load("- name: f\n  type: deno\n  config: { file: fail.ts }"), {}).catch(
      (error: unknown) => error,
    )) as { cause: Error };
    expect(failure.cause).toMatchObject({ code: "DENO_SCRIPT_FAILED", message: "no way (fail.ts:4:9)" });
  });

  it("ends at its time-out", async () => {
    await expect(
      runToEnd(load("- name: f\n  type: deno\n  config: { script: 'while (true) {}', timeout: 500ms }"), {}),
    ).rejects.toMatchObject({
      cause: { code: "STEP_TIMEOUT" },
    });
  });

  it("gives secrets by variables, and masks them", async () => {
    const definition = load(
      '- name: s\n  type: deno\n  config:\n    script: \'console.log(Deno.env.get("TOKEN")); output("n", Deno.env.get("TOKEN"))\'\n    env: { TOKEN: \'${{ secret.TOKEN }}\' }',
      { secrets: { TOKEN: "s3cr3t-t0ken" } },
    );
    expect(await runToEnd(definition, {})).toMatchObject({ n: "***" });
  });
});

describe("a deno step that cannot be loaded", () => {
  it.each([
    ["{}", /needs either `script` or `file`/],
    ["{ script: '1', file: a.ts }", /needs either `script` or `file`/],
    ["{ file: missing.ts }", /cannot be read|there is no file/],
    ["{ script: 'await import(\"node:fs\")' }", /`import\(\)` is not granted/],
    ["{ script: 'import a from \"npm:ms\"' }", /is not in the step's `modules`/],
    ["{ script: 'import a from \"./a.ts\"' }", /leads nowhere/],
    ["{ script: 'import a from \"data:text\\/javascript,1\"' }", /code made from text/],
    ["{ script: 'import a from \"node:vm\"' }", /code made from text/],
    ["{ script: '1', modules: ['npm:ms'] }", /not among those that this application allows/],
    ["{ script: '1', modules: ['left-pad'] }", /is fetched from nowhere/],
    ["{ script: '1', permissions: { run: true } }", /does not allow it/],
    ["{ script: '1', permissions: { net: ['*'] } }", /name the hosts/],
    ["{ script: '1', permissions: { net: ['${{ inputs.host }}'] } }", /may not widen/],
    ["{ script: '1', permissions: { env: ['LD_PRELOAD'] } }", /changes how Deno itself runs/],
    ["{ script: '1', permissions: { reed: ['.'] } }", /read/],
    ["{ script: 'log(\"${{ inputs.x }}\")' }", /would become program text/],
  ])("says what is wrong: %s", (config, message) => {
    expect(() => load(`- name: d\n  type: deno\n  config: ${config}`)).toThrow(message);
  });

  it("is loaded where the application agrees", () => {
    const config = "{ script: 'await import(\"node:fs\")', permissions: { run: true, dynamic_import: true } }";
    expect(() => load(`- name: d\n  type: deno\n  config: ${config}`, { deno: { trusted: true } })).not.toThrow();
    expect(() => load("- name: d\n  type: deno\n  config: { script: '1' }", { deno: { memoryMb: 1 } })).toThrow(
      /`deno.memoryMb` must be/,
    );
  });
});

describeDeno("modules", () => {
  it("are fetched when the file is loaded, and are there without a network", async () => {
    let requests = 0;
    const server = createServer((request, response) => {
      requests++;
      response.setHeader("content-type", "application/typescript");
      response.end(
        request.url === "/a.ts"
          ? 'import { two } from "./b.ts"; export const one: number = two - 1;'
          : "export const two: number = 2;",
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const module = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.ts`;
    const file = join(folder, "modules.yaml");
    writeFileSync(
      file,
      text(
        `- name: d\n  type: deno\n  config:\n    modules: [${JSON.stringify(module)}]\n    script: |\n      import { one } from ${JSON.stringify(module)};\n      output("one", one);\n      try { localStorage.setItem("a", "b"); output("kept", true) } catch {}\n      try { await caches.open("a"); output("kept", true) } catch {}\n      try { await fetch(${JSON.stringify(module)}); output("reached", true) } catch {}`,
      ),
    );
    const deno = { allowModules: [module], modulesFolder: join(folder, "modules") };
    const definition = await loadWorkflow(file, {}, { deno });
    expect(requests).toBe(2);
    const again = await loadWorkflow(file, {}, { deno });
    await new Promise((resolve) => server.close(resolve));
    expect(await runToEnd(definition, {})).toEqual({ one: 1, steps: { d: { outputs: { one: 1 } } } });
    expect(await runToEnd(again, {})).toEqual({ one: 1, steps: { d: { outputs: { one: 1 } } } });
    expect(requests).toBe(2);
  });

  it("that cannot be fetched are an error when the file is loaded", async () => {
    const file = join(folder, "gone.yaml");
    writeFileSync(
      file,
      text("- name: d\n  type: deno\n  config: { script: '1', modules: ['http://127.0.0.1:1/gone.ts'] }"),
    );
    const deno = { allowModules: ["http://127.0.0.1:1/*"], modulesFolder: join(folder, "modules") };
    await expect(loadWorkflow(file, {}, { deno })).rejects.toThrow(/could not be fetched/);
  });
});

describeDeno("spare processes", () => {
  const options = { folder: tmpdir(), script: "output('pid', Deno.pid)" };
  const until = async (done: () => boolean): Promise<void> => {
    for (let at = 0; at < 1_000 && !done(); at++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(done()).toBe(true);
  };

  it("are kept for what is used again, each for one script, and end with the rest", async () => {
    const spares = new SpareProcesses();
    await runDeno({ ...options, spares });
    expect(spares.size).toBe(0);
    const first = await runDeno({ ...options, spares });
    await until(() => spares.size === 1);
    const second = await runDeno({ ...options, spares });
    const third = await runDeno({ ...options, spares });
    expect(new Set([first, second, third].map(({ outputs }) => outputs["pid"])).size).toBe(3);
    await until(() => spares.size === 1);
    // Other permissions are another sandbox.
    await runDeno({ ...options, spares, permissions: { net: ["example.com"] } });
    await runDeno({ ...options, spares, permissions: { net: ["example.com"] } });
    await until(() => spares.size === 2);
    await spares.close();
    expect(spares.size).toBe(0);
  });

  it("end after some seconds without use", async () => {
    const spares = new SpareProcesses();
    await runDeno({ ...options, spares });
    await runDeno({ ...options, spares });
    await until(() => spares.size === 1);
    await until(() => spares.size === 0);
  });

  it("do not keep a process alive, and end with it", async () => {
    const url = (name: string): string => JSON.stringify(new URL(`../../src/deno/${name}.ts`, import.meta.url).href);
    writeFileSync(
      join(folder, "short.ts"),
      `import { runDeno } from ${url("run-deno")}; import { SpareProcesses } from ${url("spares")};
       const spares = new SpareProcesses();
       const options = { folder: "/tmp", script: "1", spares };
       await runDeno(options); await runDeno(options);
       await new Promise((resolve) => setTimeout(resolve, 300));
       console.log(spares.size, process.pid);`,
    );
    const { execFile } = await import("node:child_process");
    const before = performance.now();
    const out = await new Promise<string>((resolve, reject) =>
      execFile(
        process.execPath,
        ["--conditions=wfe-source", join(folder, "short.ts")],
        { cwd: new URL("../..", import.meta.url) },
        (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
      ),
    );
    const [size, pid] = out.trim().split(" ");
    expect(size).toBe("1");
    expect(performance.now() - before).toBeLessThan(20_000);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith(`wfe-deno-${pid}-`))).toEqual([]);
  });

  it("end by themselves when nobody is there any more", async () => {
    const spare = startDeno({
      flags: [],
      env: {},
      memoryMb: 64,
      allowsCode: false,
      modulesFolder: undefined,
      importHosts: [],
    });
    spare.group.child.stdin?.end();
    expect(await spare.group.exited).toEqual({ code: 0, signal: null });
    await spare.dispose();
  });
});
