import { WorkflowHost } from "@wfe/core";
import { describe, expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { CrashStore, loadStore, type StoreName, type StoreSpec } from "../crash/stores/crash-store.ts";
import { heldOf } from "../crash/zombies/held.ts";
import type { ZombieOptions } from "../crash/zombies/zombie-runner.ts";
import { Child } from "../processes/support/child.ts";
import { until } from "../processes/support/until.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { findValkey } from "../services/valkey.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000 });

const [postgres, valkey] = await Promise.all([sharedPostgresIfAny(), findValkey()]);
const script = new URL("../crash/zombies/zombie-runner.ts", import.meta.url);

/** A store that has Valkey beside it or not, as whoever comes says. */
class ChangingStore implements AsyncDisposable {
  readonly store: CrashStore;
  readonly with: StoreSpec;
  readonly without: StoreSpec;
  readonly client: WorkflowHost;

  private constructor(store: CrashStore) {
    this.store = store;
    this.with = store.spec;
    const [name = ""] = store.spec.split("+", 1);
    const address = store.spec.slice(store.spec.indexOf(":") + 1);
    this.without = `${name as StoreName}:${(JSON.parse(address) as { readonly store: string }).store}`;
    const { definition } = heldOf(this.with, { began: () => {}, aborted: () => {} });
    this.client = new WorkflowHost({ providers: store.providers(), workflows: [definition], log: quiet() });
  }

  static async create(name: "postgres+valkey" | "sqlite+valkey"): Promise<ChangingStore> {
    const store = await CrashStore.create(name);
    await loadStore(name.startsWith("postgres") ? "postgres" : "sqlite");
    return new ChangingStore(store);
  }

  runner(spec: StoreSpec, options: Pick<ZombieOptions, "lease">): Promise<Child> {
    return Child.spawn(script, { store: spec, directory: this.store.directory, ...options } satisfies ZombieOptions);
  }

  /** Starts a workflow, and waits until it is in the runner's hand. */
  async hold(id: string, runner: Child): Promise<void> {
    await this.client.startWorkflow("held", { n: 0 }, { id });
    await until({ what: `${id} has begun`, otherwise: () => runner.errors }, () => runner.told("began").includes(id));
  }

  /** The fence. */
  async claimOf(id: string): Promise<number> {
    const [row] = await this.store.query<{ claim: number | string }>(
      `SELECT claim FROM wfe_workflows WHERE id = '${id}'`,
    );
    return Number(row?.claim);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.stop();
    await this.store[Symbol.asyncDispose]();
  }
}

const refused = { code: "LOCK_PROVIDER" };
/** So long that nothing here waits for its end. */
const longLease = { lease: "60s" } as const;

describe.skipIf(postgres === undefined || !valkey.available)("a store whose hosts change their lock provider", () => {
  it.each([
    { name: "postgres+valkey", way: "to Valkey" },
    { name: "sqlite+valkey", way: "from Valkey" },
  ] as const)("$name: goes over $way and back once no host lives, and its fences rise", async ({ name, way }) => {
    await using store = await ChangingStore.create(name);
    const [old, next] = way === "to Valkey" ? [store.without, store.with] : [store.with, store.without];
    await using first = await store.runner(old, longLease);
    await using second = await store.runner(next, longLease);
    await first.call("start");
    await store.hold("one", first);
    const claims = [await store.claimOf("one")];
    await expect(second.call("start")).rejects.toMatchObject(refused);
    expect(await store.claimOf("one")).toBe(claims[0]);

    // Its process is seen to be gone: nobody waits for the end of its lease.
    first.kill("SIGKILL");
    await first.ended;
    await second.call("start");
    expect(await store.client.handle("one").result({ timeout: "30s" })).toMatchObject({ held: "at last" });
    claims.push(await store.claimOf("one"));

    await using third = await store.runner(old, longLease);
    await store.hold("two", second);
    await expect(third.call("start")).rejects.toMatchObject(refused);
    const before = await store.claimOf("two");
    await second.call("stop");
    await third.call("start");
    await store.client.handle("two").result({ timeout: "30s" });
    expect(await store.claimOf("two")).toBeGreaterThan(before);
    expect(claims[1]).toBeGreaterThan(claims[0]!);
    expect(await store.store.query("SELECT 1 FROM effects")).toHaveLength(2);
    expect(await store.store.damage()).toEqual([]);
  });

  it("leaves a host that was frozen out, until it has the store to itself again", async () => {
    await using store = await ChangingStore.create("postgres+valkey");
    await using frozen = await store.runner(store.with, { lease: "1s" });
    await using taker = await store.runner(store.without, { lease: "1s" });
    await frozen.call("start");
    await store.hold("one", frozen);
    frozen.kill("SIGSTOP");
    await until({ what: "the other one starts" }, () =>
      taker.call("start").then(
        () => true,
        (error: { readonly code?: string }) => (error.code === refused.code ? false : Promise.reject(error)),
      ),
    );
    expect(await store.client.handle("one").result({ timeout: "30s" })).toMatchObject({ held: "at last" });
    frozen.kill("SIGCONT");
    await until({ what: "it has heard of it" }, () => frozen.told("aborted").includes("one"));
    expect(await frozen.call("isWell")).toBe(false);
    await store.hold("two", taker);
    await taker.call("stop");
    await until({ what: "it is well again" }, () => frozen.call<boolean>("isWell"));
    await store.client.handle("two").result({ timeout: "30s" });
    expect(await store.store.query("SELECT 1 FROM effects")).toHaveLength(2);
  });
});
