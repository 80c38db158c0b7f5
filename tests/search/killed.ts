import type { WorkflowHost } from "@wfe/core";
import { expect } from "vitest";
import type { OpenSearchServer } from "../services/opensearch.ts";
import { caughtUp, idsOf, throughput } from "./load.ts";

/**
 * Kills OpenSearch under load, round after round, and gives the throughput while it is down as a share of that while it is up: in
 * turns, so that what else the machine does falls on both. It is down at the end.
 */
export async function killedUnderLoad(
  host: WorkflowHost,
  server: OpenSearchServer,
  { rounds, forMs }: { readonly rounds: number; readonly forMs: number },
): Promise<number> {
  await throughput(host, "warm", Math.min(forMs, 2_000));
  const shares: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await server.start();
    await caughtUp(host, 120_000);
    const up = await throughput(host, `up-${round}`, forMs);
    await server.stop("SIGKILL");
    const down = await throughput(host, `down-${round}`, forMs);
    shares.push(down / up);
    const { ok, search } = await host.health();
    expect(ok).toBe(false);
    expect(search?.pending).toBeGreaterThan(0);
    await expect(host.searchWorkflows("load")).rejects.toMatchObject({ code: "SEARCH_UNREACHABLE" });
  }
  return shares.toSorted((a, b) => a - b)[Math.floor(shares.length / 2)] ?? 0;
}

/** OpenSearch comes back, and the index then has what the store has, neither more nor less. */
export async function expectEqual(host: WorkflowHost, server: OpenSearchServer, index: string): Promise<void> {
  await server.start();
  await caughtUp(host, 120_000);
  await server.request("POST", `/${index}/_refresh`);
  const { found, stored } = await idsOf(host);
  expect(found).toEqual(stored);
  expect((await host.countSearch("status:completed")).total).toBe(stored.length);
}
