// A process that runs the mix on one store, until it is killed.
import { type Duration, WorkflowHost } from "@wfe/core";
import { optionsOf, serve, tell } from "../processes/support/serve.ts";
import { dyingAt, type Moment } from "./dying-provider.ts";
import { kindNames, mixOf } from "./mix.ts";
import { quiet } from "./quiet.ts";
import { loadStore, providersOf, type StoreSpec } from "./stores/crash-store.ts";

/** What the parent gives. */
export interface RunnerOptions {
  readonly store: StoreSpec;
  readonly directory: string;
  /** The moment at which the process dies of its own accord. */
  readonly moment?: Moment;
  readonly lease?: Duration;
  readonly maxDeaths?: number;
}

/** A workflow that is to be started. */
export interface Start {
  readonly id: string;
  readonly kind: string;
  readonly data: Record<string, any>;
}

const { store, directory, moment, lease = "10s", maxDeaths = 3 } = optionsOf<RunnerOptions>();
await loadStore(store);
const [provider, ...beside] = providersOf(store);
const kinds = mixOf({
  store,
  directory,
  publish: (name, key, payload, id) => host.publishEvent(name, key, payload, { id }),
});
const host: WorkflowHost = new WorkflowHost({
  providers: [moment === undefined ? provider : dyingAt(provider, moment), ...beside],
  workflows: [...kindNames, "child"].map((name) => kinds[name]!.definition),
  lease,
  maxDeaths,
  log: quiet(),
});

serve({
  start: () => host.start(),
  stop: () => host.stop({ timeout: "1s" }),
  /** Whether it holds a lease and has nothing in hand. */
  isWell: async () => {
    const { ok, lease, inHand } = await host.health();
    return ok && lease === "alive" && inHand === 0;
  },
  leaseIs: async () => (await host.health()).lease,
  /** Starts workflows itself and tells of each as soon as it is sure of it, as an application does that runs its own. */
  startWorkflows: async (starts: readonly Start[]) => {
    for (const { id, kind, data } of starts) {
      await host.startWorkflow(kinds[kind]!.definition, data, { id });
      tell("started", id);
    }
  },
  startWorkflow: async ({ id, kind, data }: Start) => {
    await host.startWorkflow(kinds[kind]!.definition, data, { id });
  },
  publish: async ({ name, key, payload, id }: { name: string; key: string; payload: unknown; id: string }) => {
    await host.publishEvent(name, key, payload, { id });
  },
});
