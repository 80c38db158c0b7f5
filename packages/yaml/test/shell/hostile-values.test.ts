import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hoistValues } from "../../src/shell/hoist-values.ts";
import { runShell } from "../../src/shell/run-shell.ts";
import { hostileValues } from "./hostile-values.ts";

/**
 * The places a value may stand in. `show` writes its arguments to standard output, each followed by a NUL: so what a program
 * receives is compared byte for byte.
 */
const places: Readonly<
  Record<string, { readonly run: string; readonly expected: (value: string) => readonly string[] }>
> = {
  unquoted: { run: "show ${{ inputs.x }}", expected: (value) => [value] },
  "part of a word": {
    run: "show a${{ inputs.x }}b --x=${{ inputs.x }}",
    expected: (value) => [`a${value}b`, `--x=${value}`],
  },
  "double quotes": {
    run: 'show "${{ inputs.x }}" "<${{ inputs.x }}|${{ inputs.x }}>"',
    expected: (value) => [value, `<${value}|${value}>`],
  },
  "beside variables": {
    run: "a='*  *'\nshow \"$a${{ inputs.x }}$a\" \"\\$${{ inputs.x }}\" '$a'${{ inputs.x }}",
    expected: (value) => [`*  *${value}*  *`, `$${value}`, `$a${value}`],
  },
  assignment: {
    run: 'a=${{ inputs.x }}\nexport b="${{ inputs.x }}" c=${{ inputs.x }}\nshow "$a" "$b" "$c"',
    expected: (value) => [value, value, value],
  },
  "command substitution": {
    run: 'show "$(printf "%s." ${{ inputs.x }})" "$(show1() { printf "%s." "$1"; }; show1 "${{ inputs.x }}")"',
    expected: (value) => [`${value}.`, `${value}.`],
  },
  loop: { run: 'for a in ${{ inputs.x }} b; do show "$a"; done', expected: (value) => [value, "b"] },
  case: {
    run: 'case ${{ inputs.x }} in ${{ inputs.x }}) show same "${{ inputs.x }}" ;; *) show other ;; esac',
    expected: (value) => ["same", value],
  },
  condition: {
    run: 'if [ x${{ inputs.x }} = "x${{ inputs.x }}" ] && ! [ "x${{ inputs.x }}" = y ]; then show ${{ inputs.x }}; fi',
    expected: (value) => [value],
  },
  "here-document": {
    run: 'cat <<EOF > out\n<${{ inputs.x }}>\n\tEOF "${{ inputs.x }}"\nEOF\nshow "$(cat out)"',
    expected: (value) => [`<${value}>\n\tEOF "${value}"`],
  },
  function: {
    run: 'f() { show "$@" ; } # ${{ inputs.x }}\nf ${{ inputs.x }} "${{ inputs.x }}"',
    expected: (value) => [value, value],
  },
  "sh -c with arguments": { run: 'sh -c \'printf "%s\\0" "$@"\' sh ${{ inputs.x }}', expected: (value) => [value] },
};

describe.each(["sh", "bash", "dash"])("a hostile value in %s", (shell) => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "wfe-hostile-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  // A program of its own, and no builtin: what it receives is what was passed to it.
  const show = "show() { /usr/bin/printf '%s\\0' \"$@\"; }\n";

  it("arrives byte for byte wherever it may stand", async () => {
    let run = show;
    for (const place of Object.values(places)) {
      const { program, problems } = hoistValues(place.run, [shell]);
      expect(problems).toEqual([]);
      expect(program.variables).toEqual({ WFE_VALUE_1: "inputs.x" });
      run += `${program.run}\n`;
    }
    for (const value of hostileValues) {
      const result = await runShell({
        run,
        shell: [shell],
        workingDir: folder,
        env: { PATH: "/usr/bin:/bin", WFE_VALUE_1: value },
        keep: 4_000_000,
      });
      const expected = Object.values(places).flatMap((place) => place.expected(value));
      expect(result.stderr).toBe("");
      expect(result.stdout.split("\0").slice(0, -1), JSON.stringify(value.slice(0, 60))).toEqual(expected);
      expect(existsSync(join(folder, "pwned"))).toBe(false);
    }
  });

  it("is a test that could fail: pasted in, some of the values do run", () => {
    const pasted = (value: string): void => {
      try {
        execFileSync(shell, ["-c", `: ${value}`], {
          cwd: folder,
          stdio: "ignore",
          env: { PATH: "/usr/bin:/bin" },
        });
      } catch {
        // Most are no valid program.
      }
    };
    for (const value of hostileValues.slice(0, 12)) pasted(value);
    expect(existsSync(join(folder, "pwned"))).toBe(true);
    rmSync(join(folder, "pwned"));
  });
});
