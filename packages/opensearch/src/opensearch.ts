import { Client } from "@opensearch-project/opensearch";
import type { Provider, Runtime } from "@wfe/core/providers";
import { StoreError } from "@wfe/core/providers";
import { checkOptions, type CheckedOptions, type OpenSearchOptions } from "./options.ts";
import { Requests } from "./requests.ts";
import { openSearchIndex, type OpenSearchConnection } from "./search.ts";

/**
 * Search on OpenSearch 2 or 3, beside a store that brings everything else: `[postgres(url), opensearch("https://search:9200")]`.
 *
 * Takes a URL, the URLs of several nodes of one cluster, or a `Client` of `@opensearch-project/opensearch` that the application has
 * made (and closes itself), for whatever these options do not say, such as signed requests.
 *
 * Nothing waits for it: a cluster that is down when a host starts, or goes down, is told in the log and by `health()`, and is caught
 * up with when it is back. Only searches fail meanwhile.
 */
export function opensearch(target: string | readonly string[] | Client, options: OpenSearchOptions = {}): Provider {
  const checked = checkOptions(target, options);
  let opens = 0;
  let connection: (OpenSearchConnection & { readonly close: () => Promise<void> }) | undefined;

  const opened = (): OpenSearchConnection => {
    if (connection !== undefined) return connection;
    throw new StoreError(
      "STORE_CLOSED",
      `${checked.where} is not open: start the host that uses it, or call \`open\``,
      {
        outcome: "not-applied",
        transient: false,
      },
    );
  };

  return {
    name: "opensearch",
    search: openSearchIndex(checked, opened),

    // Makes nothing and asks nothing there: a host starts whether it is up or not.
    open: async ({ runtime }) => {
      opens += 1;
      connection ??= connect(checked, runtime);
    },

    close: async () => {
      if (opens === 0) return;
      opens -= 1;
      if (opens > 0) return;
      const closing = connection;
      connection = undefined;
      await closing?.close();
    },

    ping: async () => {
      await opened().requests.send({ method: "GET", path: "/" });
    },
  };
}

function connect(
  options: CheckedOptions,
  runtime: Runtime,
): OpenSearchConnection & { readonly close: () => Promise<void> } {
  const { requestTimeoutMs, retries, where } = options;
  const client = options.client ?? makeClient(options);
  const requests = new Requests(client, where, { requestTimeout: requestTimeoutMs, maxRetries: retries });
  return {
    requests,
    runtime,
    close: async () => {
      if (options.client === undefined) await client.close();
    },
  };
}

function makeClient({ connection }: CheckedOptions): Client {
  if (connection === undefined) throw new TypeError("a client is made of URLs");
  const { nodes, auth, tls, headers } = connection;
  return new Client({
    nodes: [...nodes],
    headers: { ...headers },
    ...(auth === undefined ? {} : { auth: { ...auth } }),
    ...(tls === undefined ? {} : { ssl: tls }),
  });
}
