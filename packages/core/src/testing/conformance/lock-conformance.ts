import { deepStrictEqual, notStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { Lease, LeaseHolder, LockProvider } from "../../providers/index.ts";
import type { TestClock } from "../test-clock.ts";
import { type ConformanceHarness, declareCase, type OpenProvider, testFunctionsOf } from "./harness.ts";

export interface LockHarness extends ConformanceHarness {
  /**
   * Lets time pass for the lock service. Default: the test clock advances. A service with a clock of its own waits in
   * reality: the cases use leases of one second, and stay 300 ms away from their ends.
   */
  readonly elapse?: (ms: number, clock: TestClock) => Promise<void>;
}

const ttlMs = 1_000;
/** Within a lease, twice within it, and beyond it. */
const within = 400;
const almost = 700;
const beyond = 1_300;

/**
 * Declares the cases that every `LockProvider` has to pass, as tests of the runner. Call it from a test file.
 *
 * Each case has a lock service of its own, which is empty.
 */
export function lockConformance(harness: LockHarness): void {
  const test = testFunctionsOf(harness);
  const it = (claim: string, body: (scene: Scene) => Promise<void>): void => {
    declareCase(harness, test, claim, async (open) => {
      ok(open.provider.lock, "the provider has locks");
      await body(new Scene(open, open.provider.lock, harness));
    });
  };
  test.describe(`${harness.name}: lock`, () => {
    test.describe("leases", () => leaseCases(it));
    test.describe("keys", () => keyCases(it));
    if (harness.reopen !== undefined) test.describe("two processes", () => processCases(it));
  });
}

type Declare = (claim: string, body: (scene: Scene) => Promise<void>) => void;

class Scene {
  readonly open: OpenProvider;
  readonly locks: LockProvider;
  readonly #harness: LockHarness;

  constructor(open: OpenProvider, locks: LockProvider, harness: LockHarness) {
    this.open = open;
    this.locks = locks;
    this.#harness = harness;
  }

  lease(over: { readonly ttlMs?: number } = {}, holder: LeaseHolder = { host: "host", process: null }): Promise<Lease> {
    return this.locks.openLease({ ttlMs, holder, ...over });
  }

  async elapse(ms: number): Promise<void> {
    if (this.#harness.elapse === undefined) await this.open.clock.advance(ms);
    else await this.#harness.elapse(ms, this.open.clock);
  }

  async renew(lease: Lease): Promise<boolean | undefined> {
    return (await this.locks.renewLeases([lease]))[0];
  }

  async isDead(lease: Lease): Promise<boolean> {
    return (await this.locks.reap([lease.id])).includes(lease.id);
  }

  async acquire(key: string, lease: Lease): Promise<boolean | undefined> {
    return (await this.locks.acquire([key], lease))[0];
  }

  /** The locks as another process sees them. */
  async another(): Promise<LockProvider> {
    const provider = await this.open.again?.();
    ok(provider?.lock, "the harness gives another provider");
    return provider.lock;
  }
}

function leaseCases(it: Declare): void {
  it("have a name for the service that keeps them", async ({ locks }) => {
    strictEqual(typeof locks.name, "string");
    notStrictEqual(locks.name, "");
  });

  it("have ids of their own, and the time to live that was asked for", async (scene) => {
    const leases = await Promise.all(Array.from({ length: 50 }, (_, number) => scene.lease({ ttlMs: ttlMs + number })));
    strictEqual(new Set(leases.map(({ id }) => id)).size, 50);
    deepStrictEqual(
      leases.map((lease) => lease.ttlMs),
      leases.map((_, number) => ttlMs + number),
    );
  });

  it("live for their time without being renewed", async (scene) => {
    const lease = await scene.lease();
    await scene.elapse(almost);
    strictEqual(await scene.isDead(lease), false);
    strictEqual(await scene.renew(lease), true);
  });

  it("live on from each renewal", async (scene) => {
    const lease = await scene.lease();
    for (let time = 0; time < 4; time += 1) {
      await scene.elapse(almost);
      strictEqual(await scene.renew(lease), true);
    }
    await scene.elapse(within);
    strictEqual(await scene.isDead(lease), false);
  });

  it("are dead when they have expired and someone says so", async (scene) => {
    const lease = await scene.lease();
    await scene.elapse(beyond);
    strictEqual(await scene.isDead(lease), true);
  });

  it("can be renewed after they have expired, as long as nobody has said that they are dead", async (scene) => {
    const lease = await scene.lease();
    await scene.elapse(beyond);
    strictEqual(await scene.renew(lease), true);
    strictEqual(await scene.isDead(lease), false);
    await scene.elapse(within);
    strictEqual(await scene.isDead(lease), false);
  });

  it("die once: renewing never revives them", async (scene) => {
    const lease = await scene.lease();
    await scene.elapse(beyond);
    ok(await scene.isDead(lease));
    for (let time = 0; time < 3; time += 1) {
      strictEqual(await scene.renew(lease), false);
      strictEqual(await scene.isDead(lease), true);
    }
  });

  it("are not harmed by being asked about while they live", async (scene) => {
    const lease = await scene.lease();
    for (let time = 0; time < 3; time += 1) deepStrictEqual(await scene.locks.reap([lease.id]), []);
    strictEqual(await scene.renew(lease), true);
  });

  it("are reaped each by itself: the expired, the closed and the unknown", async (scene) => {
    const expired = await scene.lease();
    const closed = await scene.lease({ ttlMs: 60_000 });
    const live = await scene.lease({ ttlMs: 60_000 });
    await scene.locks.closeLeases([closed]);
    await scene.elapse(beyond);
    const dead = await scene.locks.reap([live.id, expired.id, "unknown", closed.id]);
    deepStrictEqual([...dead].sort(), [expired.id, closed.id, "unknown"].sort());
    strictEqual(await scene.renew(live), true);
  });

  it("expire each by its own time to live", async (scene) => {
    const short = await scene.lease();
    const long = await scene.lease({ ttlMs: 60_000 });
    await scene.elapse(beyond);
    deepStrictEqual(await scene.locks.reap([short.id, long.id]), [short.id]);
  });

  it("are renewed in the order asked, dead and unknown ones among them", async (scene) => {
    const [a, dead, b] = [await scene.lease(), await scene.lease(), await scene.lease()];
    await scene.locks.closeLeases([dead]);
    const unknown = { id: "unknown", ttlMs };
    deepStrictEqual(await scene.locks.renewLeases([dead, a, unknown, b]), [false, true, false, true]);
  });

  it("end when they are closed", async (scene) => {
    const lease = await scene.lease();
    await scene.locks.closeLeases([lease]);
    strictEqual(await scene.renew(lease), false);
    strictEqual(await scene.isDead(lease), true);
  });

  it("may be closed twice, dead or unknown", async (scene) => {
    const lease = await scene.lease();
    await scene.locks.closeLeases([lease]);
    await scene.locks.closeLeases([lease, { id: "unknown", ttlMs }]);
    const live = await scene.lease();
    strictEqual(await scene.renew(live), true);
  });

  it("either die or are renewed where both are tried at once, and both sides agree", async (scene) => {
    for (let time = 0; time < 10; time += 1) {
      const lease = await scene.lease();
      await scene.elapse(beyond);
      const acts = [() => scene.renew(lease), () => scene.isDead(lease)] as const;
      const [renewed, dead] =
        time % 2 === 0
          ? await Promise.all([acts[0](), acts[1]()])
          : await Promise.all([acts[1](), acts[0]()]).then(([second, first]) => [first, second] as const);
      strictEqual(renewed, !dead);
      strictEqual(await scene.renew(lease), renewed);
    }
  });

  it("come and go in batches of 100", async (scene) => {
    const leases = await Promise.all(Array.from({ length: 100 }, () => scene.lease()));
    ok((await scene.locks.renewLeases(leases)).every(Boolean));
    await scene.locks.closeLeases(leases.slice(0, 50));
    const dead = await scene.locks.reap(leases.map(({ id }) => id));
    deepStrictEqual(
      [...dead].sort(),
      leases
        .slice(0, 50)
        .map(({ id }) => id)
        .sort(),
    );
  });

  it("may be none at all", async ({ locks }) => {
    deepStrictEqual([await locks.renewLeases([]), await locks.reap([])], [[], []]);
    await locks.closeLeases([]);
  });

  it("keep to the holder that runs, whoever asks", async (scene) => {
    const lease = await scene.lease({}, { host: "host-1", process: null });
    const other = await scene.lease({}, { host: "host-2", process: null });
    deepStrictEqual(await scene.locks.reap([lease.id, other.id]), []);
  });
}

function keyCases(it: Declare): void {
  it("go to the first who asks", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    strictEqual(await scene.acquire("key", a), true);
    strictEqual(await scene.acquire("key", b), false);
  });

  it("are independent of each other", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    strictEqual(await scene.acquire("one", a), true);
    strictEqual(await scene.acquire("two", b), true);
    strictEqual(await scene.acquire("two", a), false);
  });

  it("are taken again by who holds them", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    for (let time = 0; time < 3; time += 1) strictEqual(await scene.acquire("key", a), true);
    strictEqual(await scene.acquire("key", b), false);
  });

  it("are free once they are released", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    await scene.acquire("key", a);
    await scene.locks.release(["key"], a);
    strictEqual(await scene.acquire("key", b), true);
    strictEqual(await scene.acquire("key", a), false);
  });

  it("are not released by another lease", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    await scene.acquire("key", a);
    await scene.locks.release(["key", "unknown"], b);
    strictEqual(await scene.acquire("key", b), false);
  });

  it("are free when their holder's lease is closed", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    await scene.locks.acquire(["one", "two"], a);
    await scene.locks.closeLeases([a]);
    deepStrictEqual(await scene.locks.acquire(["one", "two"], b), [true, true]);
  });

  it("are free when their holder's lease has expired, also before anyone has said that it is dead", async (scene) => {
    const a = await scene.lease();
    await scene.acquire("key", a);
    await scene.elapse(beyond);
    const b = await scene.lease();
    strictEqual(await scene.acquire("key", b), true);
    strictEqual(await scene.renew(a), true);
    strictEqual(await scene.acquire("key", a), false);
  });

  it("are free when their holder's lease is dead", async (scene) => {
    const a = await scene.lease();
    await scene.acquire("key", a);
    await scene.elapse(beyond);
    ok(await scene.isDead(a));
    strictEqual(await scene.acquire("key", await scene.lease()), true);
  });

  it("stay with a holder whose lease is renewed", async (scene) => {
    const a = await scene.lease();
    await scene.acquire("key", a);
    for (let time = 0; time < 3; time += 1) {
      await scene.elapse(almost);
      await scene.renew(a);
    }
    strictEqual(await scene.acquire("key", await scene.lease()), false);
  });

  it("are not freed for their new holder by the old one's release", async (scene) => {
    const a = await scene.lease();
    await scene.acquire("key", a);
    await scene.elapse(beyond);
    const b = await scene.lease();
    await scene.acquire("key", b);
    await scene.locks.release(["key"], a);
    await scene.locks.closeLeases([a]);
    strictEqual(await scene.acquire("key", await scene.lease()), false);
  });

  it("are not given to a lease that is dead", async (scene) => {
    const a = await scene.lease();
    await scene.locks.closeLeases([a]);
    strictEqual(await scene.acquire("key", a), false);
    strictEqual(await scene.acquire("key", await scene.lease()), true);
  });

  it("are answered for in the order asked", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    await scene.locks.acquire(["2", "4"], a);
    deepStrictEqual(await scene.locks.acquire(["1", "2", "3", "4", "5"], b), [true, false, true, false, true]);
    deepStrictEqual(await scene.locks.acquire([], b), []);
    await scene.locks.release([], b);
  });

  it("go to exactly one of 20 who ask at once", async (scene) => {
    const leases = await Promise.all(Array.from({ length: 20 }, () => scene.lease()));
    for (let round = 0; round < 5; round += 1) {
      const taken = await Promise.all(leases.map((lease) => scene.acquire(`key-${round}`, lease)));
      strictEqual(taken.filter(Boolean).length, 1);
    }
  });

  it("each go to exactly one where two ask for 50 in opposite orders", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    const keys = Array.from({ length: 50 }, (_, number) => `key-${number}`);
    const [first, second] = await Promise.all([
      scene.locks.acquire(keys, a),
      scene.locks.acquire(keys.toReversed(), b),
    ]);
    deepStrictEqual(
      first.map((taken) => !taken),
      second.toReversed(),
    );
  });

  it("are told apart, whatever they hold", async (scene) => {
    const [a, b] = [await scene.lease(), await scene.lease()];
    const keys = ["key", "Key", "key ", "", "key:1", "key*", "{key}", "it's", "👩‍👩‍👧", "k\ney", "x".repeat(512)];
    ok((await scene.locks.acquire(keys, a)).every(Boolean));
    ok((await scene.locks.acquire(keys, b)).every((taken) => !taken));
    await scene.locks.release(["key"], a);
    deepStrictEqual(
      await scene.locks.acquire(keys, b),
      keys.map((key) => key === "key"),
    );
  });
}

function processCases(it: Declare): void {
  it("see one another's leases", async (scene) => {
    const other = await scene.another();
    const lease = await scene.lease();
    deepStrictEqual(await other.reap([lease.id]), []);
    await scene.elapse(beyond);
    deepStrictEqual(await other.reap([lease.id]), [lease.id]);
    strictEqual(await scene.renew(lease), false);
  });

  it("see one another's keys", async (scene) => {
    const other = await scene.another();
    const theirs = await other.openLease({ ttlMs, holder: { host: "other", process: null } });
    const ours = await scene.lease();
    strictEqual(await scene.acquire("key", ours), true);
    deepStrictEqual(await other.acquire(["key"], theirs), [false]);
    await scene.locks.closeLeases([ours]);
    deepStrictEqual(await other.acquire(["key"], theirs), [true]);
  });

  it("call the service by one name", async (scene) => {
    strictEqual((await scene.another()).name, scene.locks.name);
  });

  it("give a key to exactly one of both", async (scene) => {
    const other = await scene.another();
    const ours = await scene.lease();
    const theirs = await other.openLease({ ttlMs, holder: { host: "other", process: null } });
    for (let round = 0; round < 20; round += 1) {
      const key = `key-${round}`;
      const taken = await Promise.all([scene.acquire(key, ours), other.acquire([key], theirs)]);
      strictEqual(taken.flat().filter(Boolean).length, 1);
    }
  });
}
