import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Most of what a short process costs is to read the sources: those that tests start find what the ones before have compiled.
process.env["NODE_COMPILE_CACHE"] ??= fileURLToPath(new URL("node_modules/.cache/wfe-compiled", import.meta.url));

// The packages are tested from their sources, with no build before: see the export condition in their package.json.
const conditions = ["wfe-source"];

const shared = {
  resolve: { conditions: [...conditions, "module", "node", "development|production"] },
  ssr: { resolve: { conditions: [...conditions, "module", "node", "development|production"] } },
};

// Many tests start processes, or run beside ones that do: on two busy cores the usual 5 and 10 seconds are too few. What hangs ends.
const testTimeout = 60_000;
const hookTimeout = 60_000;

// Most files share a process, one after the other, and load what they test once: that is a third of their time.
const isolate = false;

// Those that start servers, end what they share with one another, measure or take long have a process of their own, and come first.
const apart = [
  "packages/{postgres,valkey,opensearch,otel}/test/**/*.test.ts",
  "packages/cli/test/postgres.test.ts",
  "tests/{crash,examples,fleet,performance,search,simulator,types}/**/*.test.ts",
];

// Scenarios on the stores that need servers, and on mixes of stores: a share each time, and all of them with the long tests.
const mixes = { testTimeout: 60_000, hookTimeout, env: { WFE_STORES: "mixes" } };
const mixesShare = ["tests/scenarios/transactions.test.ts"];

export default defineConfig({
  test: {
    pool: "forks",
    // Two more than there are cores, since many tests wait for processes. By default one core would be left free, of two.
    maxWorkers: availableParallelism() + 2,
    projects: [
      {
        ...shared,
        test: {
          name: "packages",
          testTimeout,
          hookTimeout,
          isolate,
          include: ["packages/*/test/**/*.test.ts"],
          exclude: apart,
        },
      },
      {
        ...shared,
        test: {
          name: "tests",
          testTimeout,
          hookTimeout,
          isolate,
          include: ["tests/**/*.test.ts"],
          exclude: ["tests/long/**", ...apart],
        },
      },
      { ...shared, test: { name: "apart", testTimeout, hookTimeout, include: apart } },
      { ...shared, test: { name: "mixes", ...mixes, include: mixesShare } },
      {
        ...shared,
        test: { name: "long-mixes", ...mixes, include: ["tests/scenarios/**/*.test.ts"], exclude: mixesShare },
      },
      { ...shared, test: { name: "long", include: ["tests/long/**/*.test.ts"], testTimeout: 600_000, hookTimeout } },
    ],
  },
});
