import type { Provider } from "@wfe/core/providers";
import { searchConformance } from "@wfe/core/testing";
import { afterAll, describe, it } from "vitest";
import { findOpenSearch } from "../../../tests/services/opensearch.ts";
import { opensearch } from "../src/index.ts";

const { available, service } = await findOpenSearch();

describe.skipIf(!available)("a real OpenSearch", async () => {
  const server = await service?.start();
  if (server === undefined) return;
  afterAll(() => server[Symbol.asyncDispose]());
  const names = new Map<Provider, string>();

  const connect = (name: string): Provider => {
    const provider = opensearch(server.url, { index: name });
    names.set(provider, name);
    return provider;
  };
  const nameOf = (provider: Provider): string => names.get(provider) ?? "";

  searchConformance({
    name: "opensearch",
    test: { describe, it },
    create: () => connect(`case-${names.size}`),
    reopen: (provider) => connect(nameOf(provider)),
    destroy: async (provider) => {
      await server.request("DELETE", `/${nameOf(provider)}-*`);
    },
  });
});
