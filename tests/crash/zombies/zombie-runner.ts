// A process that runs the mix and bodies that only their signal ends, and tells of those.
import { WorkflowHost } from "@wfe/core";
import { optionsOf, serve, tell } from "../../processes/support/serve.ts";
import { kindNames, mixOf } from "../mix.ts";
import { quiet } from "../quiet.ts";
import { loadStore, providersOf, type StoreSpec } from "../stores/crash-store.ts";
import { heldOf } from "./held.ts";

/** What the parent gives. */
export interface ZombieOptions {
  readonly store: StoreSpec;
  readonly directory: string;
}

const { store, directory } = optionsOf<ZombieOptions>();
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
  providers: providersOf(store),
  workflows: [held.definition, ...[...kindNames, "child"].map((name) => kinds[name]!.definition)],
  lease: "1s",
  maxDeaths: 30,
  log: quiet(),
});

serve({
  start: () => host.start(),
  stop: () => host.stop({ timeout: "1s" }),
  /** Whether it holds a lease again. */
  isWell: async () => {
    const { ok, lease } = await host.health();
    return ok && lease === "alive";
  },
});
