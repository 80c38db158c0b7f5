import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { hoistValues } from "../../src/shell/hoist-values.ts";

const pieces = [
  ...[
    "${{ x }}",
    "${{ x }}",
    "${{ x }}",
    " ${{ x }} ",
    '"${{ x }}"',
    "'",
    '"',
    "`",
    "\\",
    "$",
    "$(",
    "$((",
    "${",
    "${a:-",
    "}",
    ")",
    "))",
    "(",
    "((",
    "$'",
  ],
  ...[
    '$"',
    "$[",
    "]",
    "[[ ",
    " ]]",
    "\n",
    "\n",
    " ",
    ";",
    "&",
    "|",
    "<",
    ">",
    "<<E",
    "<<'E'",
    "<<-E",
    "\nE\n",
    "\n\tE\n",
    "<<<",
    "#",
    " # ",
    "a=",
    "a=(",
    "=(",
  ],
  ...[
    "case x in ",
    "x) ",
    ";; ",
    "esac",
    " in ",
    "if ",
    "then ",
    "fi",
    "do ",
    "done",
    "for a in ",
    "{ ",
    "} ",
    "f() ",
    "echo ",
    ": ",
    "cat ",
    "x",
    "\\'",
    '\\"',
  ],
  ...[
    '"$(',
    ')"',
    '"${a',
    "&&",
    "||",
    "&>",
    ">&2 ",
    "$a",
    "$#",
    "$$",
    "!",
    "@(",
    "\\\n",
    "\t",
    "then\n",
    "; do ",
    "*",
    "~",
    "=",
    "-c ",
    "eval ",
    "sh -c ",
  ],
];

/** What any shell runs, were any of it program text, wherever it is cut into one. */
const value = [
  "touch pwned; ",
  "$(touch pwned)`touch pwned`",
  "'\n touch pwned\n'",
  '"\n touch pwned\n"',
  ")\n touch pwned\n(",
  "}\n touch pwned\n{",
  "\nE\n touch pwned\n\tE\n",
  "\n;; esac\n touch pwned\n]]\n fi\n done\n touch pwned\na[$(touch pwned)]\n",
].join("");

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "wfe-random-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("runs nothing of a value in any of many random programs that are not refused", () => {
  const programs = Number(process.env["WFE_RANDOM_PROGRAMS"] ?? 150);
  let seed = Number(process.env["WFE_RANDOM_SEED"] ?? 7);
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((seed / 2_147_483_648) * below);
  };
  let placed = 0;
  while (placed < programs) {
    const text = Array.from({ length: 2 + random(14) }, () => pieces[random(pieces.length)]).join("");
    for (const shell of ["bash", "dash"]) {
      const { program, problems } = hoistValues(text, [shell]);
      if (problems.length > 0 || Object.keys(program.variables).length === 0) continue;
      placed++;
      try {
        execFileSync(shell, ["-c", program.run], {
          cwd: folder,
          stdio: "ignore",
          timeout: 2_000,
          killSignal: "SIGKILL",
          env: { PATH: "/usr/bin:/bin", WFE_VALUE_1: value },
        });
      } catch {
        // Most end with an error of their own.
      }
      expect(existsSync(join(folder, "pwned")), `${shell}: ${JSON.stringify(text)}`).toBe(false);
    }
  }
});
