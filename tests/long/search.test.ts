import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { searchConformance } from "@wfe/core/testing";
import { opensearch } from "@wfe/opensearch";
import { postgres } from "@wfe/postgres";
import { sqlite } from "@wfe/sqlite";
import { afterAll, describe, expect, it } from "vitest";
import { expectEqual, killedUnderLoad } from "../search/killed.ts";
import { caughtUp, shortOne, throughput } from "../search/load.ts";
import { quiet } from "../search/places.ts";
import { findOpenSearch } from "../services/opensearch.ts";
import { PostgresSchemas } from "../services/postgres-schemas.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { longRun, patienceMs } from "./long-run.ts";

const hostileDocuments = 10_000;
const folder = mkdtempSync(join(tmpdir(), "wfe-search-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const suite = { test: { describe, it }, hostileDocuments };

let files = 0;
searchConformance({ ...suite, name: "sqlite", create: () => sqlite(join(folder, `${++files}.db`)) });

const server = await sharedPostgresIfAny();
describe.skipIf(server === undefined)("with PostgreSQL", () => {
  if (server === undefined) return;
  const schemas = new PostgresSchemas(server.url);
  afterAll(() => schemas.end());
  const schemaOf = new Map<Provider, string>();
  searchConformance({
    ...suite,
    name: "postgres",
    create: () => {
      const schema = schemas.take();
      const provider = postgres(server.url, { schema });
      schemaOf.set(provider, schema);
      return provider;
    },
    destroy: async (provider) => {
      await schemas.giveBack(schemaOf.get(provider) ?? "");
    },
  });
});

const { available, service } = await findOpenSearch();
describe.skipIf(!available)("with a real OpenSearch", async () => {
  const node = await service?.start();
  if (node === undefined) return;
  afterAll(() => node[Symbol.asyncDispose]());
  let indexes = 0;
  searchConformance({
    ...suite,
    name: "opensearch",
    create: () => opensearch(node.url, { index: `long-${++indexes}` }),
  });

  it(
    "a host keeps 95 % of its throughput while OpenSearch is down, and the index equals the store afterwards",
    async () => {
      const host = new WorkflowHost({
        providers: [sqlite(join(folder, "killed.db")), opensearch(node.url, { index: "killed" })],
        workflows: [shortOne],
        log: quiet,
      });
      await host.start();
      const rounds = 6;
      const forMs = (longRun.minutes * 60_000) / rounds;
      expect(await killedUnderLoad(host, node, { rounds, forMs })).toBeGreaterThan(0.95);
      await expectEqual(host, node, "killed");
      await host.stop();
    },
    patienceMs,
  );

  it("starts while OpenSearch is down, and fills it again when it comes back empty", async () => {
    const make = (): WorkflowHost =>
      new WorkflowHost({
        providers: [sqlite(join(folder, "wiped.db")), opensearch(node.url, { index: "wiped", requestTimeout: "2s" })],
        workflows: [shortOne],
        log: quiet,
      });
    await node.start();
    const first = make();
    await first.start();
    await throughput(first, "one", 200);
    await caughtUp(first, 30_000);
    await first.stop();
    await node.stop();
    const second = make();
    await second.start();
    await throughput(second, "two", 200);
    await node.start();
    await node.request("DELETE", "/wiped-*");
    await caughtUp(second, 60_000);
    await expectEqual(second, node, "wiped");
    await second.stop();
  }, 120_000);
});
