// Runs vitest with the arguments given, and says in the last line how the tests went.
//
// The long tests have options of their own: `npm run test:long -- --kills 5000 --minutes 15 --seed 7` (see tests/long/long-run.ts).
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Options that the long tests read from the environment, since vitest knows its own only. */
const longOptions: Readonly<Record<string, string>> = {
  "--kills": "WFE_KILLS",
  "--zombies": "WFE_ZOMBIES",
  "--fleet": "WFE_FLEET",
  "--cuts": "WFE_CUTS",
  "--schedules": "WFE_SCHEDULES",
  "--programs": "WFE_PROGRAMS",
  "--minutes": "WFE_MINUTES",
  "--store": "WFE_STORE",
  "--mutations": "WFE_MUTATIONS",
  "--seed": "WFE_SEED",
};

const { vitestArguments, environment } = readArguments(process.argv.slice(2));
const directory = mkdtempSync(join(tmpdir(), "wfe-test-"));
const reportFile = join(directory, "report.json");
const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
const run = spawnSync(
  process.execPath,
  [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${reportFile}`, ...vitestArguments],
  { stdio: "inherit", env: { ...process.env, ...environment } },
);
const { passed, failed, skipped } = count(readReport());
rmSync(directory, { recursive: true });

// An error that no test caught fails the run, though no test of it: the last line has to say so too.
const failedOutsideTests = run.status !== 0 && failed === 0;
if (failedOutsideTests) console.log(`vitest ended with ${run.signal ?? `code ${run.status}`}: see above`);
process.exitCode = failed > 0 || failedOutsideTests ? 1 : 0;
console.log(`${passed} passed, ${failedOutsideTests ? 1 : failed} failed, ${skipped} skipped`);

/** Takes the options of the long tests out, as `--kills 300` or `--kills=300`. */
function readArguments(given: readonly string[]): {
  readonly vitestArguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
} {
  const vitestArguments: string[] = [];
  const environment: Record<string, string> = {};
  for (let place = 0; place < given.length; place += 1) {
    const [name = "", inline] = (given[place] ?? "").split("=", 2);
    const variable = longOptions[name];
    if (variable === undefined) {
      vitestArguments.push(given[place] ?? "");
      continue;
    }
    if (inline === undefined) place += 1;
    environment[variable] = inline ?? given[place] ?? "";
  }
  return { vitestArguments, environment };
}

/** Gives undefined where vitest ended before it wrote a report. */
function readReport(): Report | undefined {
  try {
    return JSON.parse(readFileSync(reportFile, "utf8")) as Report;
  } catch (error) {
    console.error(error);
    return undefined;
  }
}

function count(report: Report | undefined): Counts {
  if (report === undefined) return { passed: 0, failed: 0, skipped: 0 };

  // A file that cannot be loaded reports no tests: without this nobody would see in the count that they are missing.
  const unloaded = report.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + unloaded.length,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}
