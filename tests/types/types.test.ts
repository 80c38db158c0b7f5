import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainOfContainers, chainOfSteps } from "./long-chains.ts";
import { prologue, wrongPrograms } from "./wrong-programs.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "wfe-types-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the builder's types", () => {
  describe("hold", () => {
    const files = ["program", "keys", "modifiers", "steps", "scopes"];
    let said: readonly string[] = [];
    beforeAll(() => {
      said = compile(...files.map((file) => join(root, "tests/types", `${file}.ts`))).output.split("\n");
    }, 120_000);
    it.for(files)("what %s.ts says", (file) => {
      expect(said.filter((line) => line.includes(`types/${file}.ts(`))).toEqual([]);
    });
    it("and nothing else is wrong with them", () => expect(said.join("\n")).toBe(""));
  });

  describe("refuse a program because", () => {
    let diagnostics: readonly string[] = [];
    beforeAll(() => {
      diagnostics = diagnosticsByProgram();
    }, 120_000);
    const claims = wrongPrograms.map(([why, , message], index) => ({ why, message, index }));
    it.for(claims)("$why", ({ message, index }) => {
      expect(diagnostics[index]).toMatch(message);
    });
  });

  it("can be named in the declarations of a library that exports a fragment", { timeout: 120_000 }, () => {
    const installed = join(folder, "node_modules/@wfe/core");
    tsc({
      extends: join(root, "tsconfig.base.json"),
      compilerOptions: {
        declaration: true,
        emitDeclarationOnly: true,
        outDir: join(installed, "dist"),
        rootDir: join(root, "packages/core/src"),
        typeRoots: [join(root, "node_modules/@types")],
      },
      include: [join(root, "packages/core/src")],
    });
    copyFileSync(join(root, "packages/core/package.json"), join(installed, "package.json"));
    const file = write(
      "library.ts",
      `import { workflow, type WorkflowBuilder } from "@wfe/core";
       export const charged = (b: WorkflowBuilder<{ n: number }>) => b.then(() => "x").as("charge").delay("1s");
       export const begun = workflow<{ n: number }>().use(charged).saga((b) => b.runWorkflow("x").waitFor("e", "k"));
       export const definition = begun.endWorkflow().build("x", 1);`,
    );
    const typeRoots = [join(root, "node_modules/@types")];
    const compilerOptions = {
      strict: true,
      target: "es2024",
      module: "nodenext",
      declaration: true,
      types: ["node"],
      typeRoots,
    };
    expect(tsc({ compilerOptions, files: [file] })).toBe("");
    expect(readFileSync(join(folder, "library.d.ts"), "utf8")).toContain('import("@wfe/core").ContainerBuilder<');
  });

  // Both take about two seconds on one core. Types made count the same on every machine, seconds do not.
  it("check a chain of 200 steps in seconds, and know every key at its end", { timeout: 120_000 }, () => {
    const { output, instantiations, seconds } = compile(write("steps.ts", chainOfSteps(200)));
    expect(output).toBe("");
    expect(instantiations).toBeLessThan(600_000);
    expect(seconds).toBeLessThan(30);
  });

  it("check a chain of 60 containers in seconds, and know every key at its end", { timeout: 120_000 }, () => {
    const { output, instantiations, seconds } = compile(write("containers.ts", chainOfContainers(60)));
    expect(output).toBe("");
    expect(instantiations).toBeLessThan(600_000);
    expect(seconds).toBeLessThan(30);
  });
});

/** Compiles all wrong programs at once, one block each, and gives what the compiler says of each. */
function diagnosticsByProgram(): readonly string[] {
  const linesBefore = prologue.split("\n").length;
  const source = `${prologue}\n${wrongPrograms.map(([, program]) => `{ ${program} }`).join("\n")}\n`;
  const said: string[] = wrongPrograms.map(() => "");
  let current = 0;
  for (const line of compile(write("wrong.ts", source)).output.split("\n")) {
    const place = /wrong\.ts\((\d+),\d+\): error/.exec(line);
    if (place !== null) current = Number(place[1]) - linesBefore - 1;
    said[current] += ` ${line}`;
  }
  return said;
}

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** Without what is said about the packages' own sources, which `npm run typecheck` says too. */
function aboutPrograms(lines: readonly string[]): readonly string[] {
  let ours = true;
  return lines.filter((line) => {
    if (/^\S.*: error TS/.test(line)) ours = !line.startsWith("packages/");
    return ours;
  });
}

/** Compiles files strictly against the sources of core. */
function compile(...files: readonly string[]): { output: string; instantiations: number; seconds: number } {
  const said = tsc({
    extends: join(root, "tsconfig.base.json"),
    compilerOptions: {
      noEmit: true,
      extendedDiagnostics: true,
      paths: { "@wfe/core": [join(root, "packages/core/src/index.ts")] },
      typeRoots: [join(root, "node_modules/@types")],
    },
    files,
  });
  const figure = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+([\\d.]+)`, "m").exec(said)?.[1] ?? Number.NaN);
  const output = aboutPrograms(said.slice(0, said.search(/^Files:/m)).split("\n")).join("\n");
  return { output, instantiations: figure("Instantiations"), seconds: figure("Check time") };
}

/** What the compiler says of a project. */
function tsc(project: object): string {
  write("package.json", JSON.stringify({ type: "module" }));
  const { stdout, stderr, error } = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/typescript/bin/tsc"),
      "-p",
      write("tsconfig.json", JSON.stringify(project)),
      "--pretty",
      "false",
    ],
    { cwd: root, encoding: "utf8" },
  );
  if (error !== undefined) throw error;
  return stdout + stderr;
}
