import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
let folder: string;

/** Compiles the program with a user's own settings: no export condition of ours, sources in the folder alone. */
function compile(): void {
  execFileSync(process.execPath, [tsc, "-p", folder], { cwd: folder, encoding: "utf8" });
}

describe("the built packages", () => {
  beforeAll(() => {
    execFileSync(process.execPath, [tsc, "-b", "tsconfig.build.json"], { cwd: root });
    mkdirSync(join(root, "temp"), { recursive: true });
    folder = mkdtempSync(join(root, "temp", "user-"));
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const compilerOptions = {
      strict: true,
      module: "nodenext",
      target: "es2024",
      types: ["node"],
      outDir: "out",
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.ts"] }));
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it("serve a user's program, which compiles under strict and runs", () => {
    copyFileSync(fileURLToPath(new URL("program.ts.txt", import.meta.url)), join(folder, "program.ts"));
    compile();
    const output = execFileSync(process.execPath, [join(folder, "out", "program.js"), join(folder, "app.db")], {
      cwd: folder,
      encoding: "utf8",
    });
    expect(output.trim().split("\n").at(-1)).toBe("ok");
  }, 60_000);

  it("refuse a wrong input at compile time", () => {
    writeFileSync(
      join(folder, "program.ts"),
      'import { workflow } from "@wfe/core";\nworkflow<{ a: string }>().then((input: { a: number }) => input.a);\n',
    );
    expect(compile).toThrow();
  }, 60_000);
});
