// A process that runs the mix and bodies that only their signal ends, and tells of those.
import { type Duration, WorkflowHost } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { optionsOf, serve, tell } from "../../processes/support/serve.ts";
import { kindNames, mixOf } from "../mix.ts";
import { quiet } from "../quiet.ts";
import { loadStore, providersOf, type StoreSpec } from "../stores/crash-store.ts";
import { heldOf } from "./held.ts";

/** What the parent gives. */
export interface ZombieOptions {
  readonly store: StoreSpec;
  readonly directory: string;
  /** Default 1 s. */
  readonly lease?: Duration;
  /** As if it ran on another machine: nobody can see that its process is gone. */
  readonly elsewhere?: boolean;
}

const { store, directory, lease = "1s", elsewhere = false } = optionsOf<ZombieOptions>();
await loadStore(store);
const kinds = mixOf({
  store,
  directory,
  publish: (name, key, payload, id) => host.publishEvent(name, key, payload, { id }),
});
const held = heldOf(store, {
  began: (workflow) => tell("began", workflow),
  aborted: (workflow) => tell("aborted", workflow),
});
const host: WorkflowHost = new WorkflowHost({
  providers: elsewhere ? providersOf(store).map(unseen) : providersOf(store),
  workflows: [held.definition, ...[...kindNames, "child"].map((name) => kinds[name]!.definition)],
  lease,
  maxDeaths: 30,
  log: quiet(),
});

function unseen(provider: Provider): Provider {
  const { lock } = provider;
  if (lock === undefined) return provider;
  const hiding: Provider["lock"] = {
    get name() {
      return lock.name;
    },
    openLease: ({ ttlMs, holder }) => lock.openLease({ ttlMs, holder: { ...holder, process: null } }),
    renewLeases: (leases) => lock.renewLeases(leases),
    closeLeases: (leases) => lock.closeLeases(leases),
    reap: (ids) => lock.reap(ids),
    acquire: (keys, of) => lock.acquire(keys, of),
    release: (keys, of) => lock.release(keys, of),
  };
  return { ...provider, lock: hiding };
}

serve({
  start: () => host.start(),
  stop: () => host.stop({ timeout: "1s" }),
  /** Whether it holds a lease again. */
  isWell: async () => {
    const { ok, lease } = await host.health();
    return ok && lease === "alive";
  },
});
