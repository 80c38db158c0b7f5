import { WorkflowHost } from "@wfe/core";
import type { StoreOptions } from "./options.ts";
import { storeAt, type Store } from "./store/store.ts";
import { quietLog } from "./quiet-log.ts";

/** Runs the work with a host that runs nothing itself. `make`: the store is made or migrated where there is need. */
export async function withClient<Result>(
  options: StoreOptions,
  work: (host: WorkflowHost, store: Store) => Promise<Result>,
  { make = false }: { readonly make?: boolean } = {},
): Promise<Result> {
  const store = await storeAt(options, make);
  const host = new WorkflowHost({ providers: store.providers, namespace: options.namespace, log: quietLog });
  try {
    return await work(host, store);
  } finally {
    await host.stop();
  }
}

/** Who the command line acts as, for the history. */
export function actor(): string {
  return process.env["WFE_ACTOR"] ?? `cli:${process.env["USER"] ?? process.env["USERNAME"] ?? "unknown"}`;
}
