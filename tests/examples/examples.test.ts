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
});
