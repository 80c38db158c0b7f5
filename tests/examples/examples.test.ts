import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished } from "vitest";
import { sharedPostgresIfAny } from "../services/postgres.ts";

const run = promisify(execFile);
// Whether one can be started here.
const postgres = await sharedPostgresIfAny();
const examples = fileURLToPath(new URL("../../examples", import.meta.url));

/** Runs an example as its reader would: by Node, from the sources. Gives what it prints; rejects unless it ends well. */
async function example(script: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ["--conditions=wfe-source", join(examples, script), ...args], {
    timeout: 90_000,
  });
  return stdout;
}

describe("the examples", () => {
  it("say hello once, also when they are run twice on one file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wfe-example-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, "hello.db");
    expect(await example("hello/hello.ts", file)).toContain("Hello, world!\nGood-bye, world.\n");
    expect(await example("hello/hello.ts", file)).not.toContain("Hello, world!\n");
  }, 100_000);

  it.skipIf(postgres === undefined)(
    "bring all parcels of a fleet to their ends, though a host is killed and another frozen",
    async () => {
      const story = await example("fleet/fleet.ts");
      expect(story).toContain("kill -9 bob");
      expect(story).toContain("cyd is frozen");
      expect(story).toContain("(again)");
      expect(story).toContain("24 of 24 parcels have arrived, and 0 results were recorded twice.");
    },
    100_000,
  );

  it("finish a pizza order whose process was killed, and repeat no recorded step", async () => {
    const story = await example("pizza/demo.ts");
    expect(story).toContain("kill -9");
    expect(story).toMatch(/Of the [1-9]\d* results recorded before the kill, 0 ran again\./);
  }, 100_000);

  it("deploy: values that are only text, a matrix, a cache, a sandbox, a failure that is cleaned up", async () => {
    const story = await example("deploy/deploy.ts");
    expect(story).toContain("build: building '; touch pwned; $(touch pwned) #\n");
    expect(story).toContain("deployed 32 bytes to https://staging.example.com/, the status page said 200");
    expect(story).toContain("notify: denied: net elsewhere.example.com:443");
    expect(story.match(/^test: testing on/gm)).toHaveLength(4 * 5);
    expect(story.match(/^build: building 3f2a91c$/gm)).toHaveLength(1);
    expect(story).toMatch(
      /roll back: rolling back badc0de\n[^]*clean up: nothing is left\nnot deployed: .*exit code 1:\nno such host\n$/,
    );
  }, 100_000);

  it("check this repository, what can run side by side side by side", async () => {
    const folder = mkdtempSync(join(tmpdir(), "wfe-example-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const story = await example("ci/ci.ts", "echo npm", join(folder, "ci.db"));
    expect(story).toMatch(/^install \| npm ci\n/);
    expect(story).toMatch(/packages \| npm run check:packages\n[^]*all checks have passed\n$/);
    // With checks that fail, the ones behind them do not run.
    const failing = example("ci/ci.ts", "sh -c 'echo no >&2; exit 3' sh", join(folder, "failing.db"));
    await expect(failing).rejects.toMatchObject({ code: 1, stderr: expect.stringContaining("exit code 3") as string });
  }, 100_000);
});
