import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import { opensearch } from "@wfe/opensearch";
import { sqlite } from "@wfe/sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { findOpenSearch } from "../services/opensearch.ts";
import { expectEqual, killedUnderLoad } from "./killed.ts";
import { shortOne } from "./load.ts";
import { quiet } from "./places.ts";

const { available, service } = await findOpenSearch();

describe.skipIf(!available)("a host with SQLite and a real OpenSearch", async () => {
  const server = await service?.start();
  if (server === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), "wfe-search-"));
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const make = (name: string): WorkflowHost =>
    new WorkflowHost({
      providers: [sqlite(join(folder, `${name}.db`)), opensearch(server.url, { index: name, requestTimeout: "2s" })],
      workflows: [shortOne],
      log: quiet,
    });

  it("goes on as before when OpenSearch is killed, and the index equals the store afterwards", async () => {
    const host = make("killed");
    await host.start();
    // What is down costs nothing. The figure leaves room for a busy machine; the long run measures it.
    expect(await killedUnderLoad(host, server, { rounds: 1, forMs: 1_000 })).toBeGreaterThan(0.6);
    await expectEqual(host, server, "killed");
    await host.stop();
  }, 120_000);
});
