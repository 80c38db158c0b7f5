import { defineConfig } from "vitest/config";

// The packages are tested from their sources, with no build before: see the export condition in their package.json.
const conditions = ["wfe-source"];

const shared = {
  resolve: { conditions: [...conditions, "module", "node", "development|production"] },
  ssr: { resolve: { conditions: [...conditions, "module", "node", "development|production"] } },
};

// Many tests start processes, or run beside ones that do: on two busy cores the usual 5 seconds are too few.
const testTimeout = 30_000;

export default defineConfig({
  test: {
    pool: "forks",
    projects: [
      { ...shared, test: { name: "packages", testTimeout, include: ["packages/*/test/**/*.test.ts"] } },
      { ...shared, test: { name: "tests", testTimeout, include: ["tests/**/*.test.ts"], exclude: ["tests/long/**"] } },
      { ...shared, test: { name: "long", include: ["tests/long/**/*.test.ts"], testTimeout: 600_000 } },
    ],
  },
});
