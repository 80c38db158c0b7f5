import type { Provider } from "@wfe/core/providers";
import { lockConformance, queueConformance } from "@wfe/core/testing";
import { Cluster } from "ioredis";
import { afterAll, describe, it } from "vitest";
import { findRedis, findValkey, type ValkeyServer } from "../../../tests/services/valkey.ts";
import { valkey } from "../src/index.ts";

const servers = [
  { name: "valkey", found: await findValkey(), args: [] },
  { name: "redis 7", found: await findRedis(), args: [] },
  {
    name: "a cluster",
    found: await findValkey(),
    args: ["--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"],
  },
];

for (const { name, found, args } of servers) {
  describe.skipIf(!found.available)(`${name}${found.reason === "" ? "" : ` (${found.reason})`}`, async () => {
    if (found.service === undefined) return;
    const server: ValkeyServer = await found.service.start({ args });
    afterAll(() => server[Symbol.asyncDispose]());
    const cluster = args.length > 0 ? await clusterOf(server) : undefined;
    afterAll(() => cluster?.disconnect());

    let stores = 0;
    const prefixes = new Map<Provider, string>();
    const providerOf = (prefix: string): Provider => {
      const provider = valkey(cluster ?? server.url, { prefix });
      prefixes.set(provider, prefix);
      return provider;
    };
    const harness = {
      name,
      test: { describe, it },
      create: () => {
        stores += 1;
        return providerOf(`store-${stores}`);
      },
      reopen: (provider: Provider) => providerOf(prefixes.get(provider)!),
    };
    lockConformance(harness);
    queueConformance(harness);
  });
}

/** One node that has all slots: it refuses what a cluster of many would refuse. */
async function clusterOf(server: ValkeyServer): Promise<Cluster> {
  const cluster = new Cluster([{ host: "127.0.0.1", port: server.port }], { lazyConnect: true });
  await server.command("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  await server.until(async () => String(await server.command("CLUSTER", "INFO")).includes("cluster_state:ok"));
  await cluster.connect();
  return cluster;
}
