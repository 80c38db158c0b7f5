import { expect, it } from "vitest";
import type { HostCore } from "../../../src/host/core/host-core.ts";
import { LeaseKeeper } from "../../../src/host/runner/lease-keeper.ts";
import type { Clock, Lease } from "../../../src/providers/index.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const leaseMs = 3_000;

/** A keeper whose time stands still, and whose renewals are answered by hand. */
function keeper(): {
  readonly keeper: LeaseKeeper;
  readonly told: string[];
  at(ms: number): void;
  answer(): Promise<void>;
} {
  let now = 0;
  const told: string[] = [];
  const beats: (() => void)[] = [];
  const answers: (() => void)[] = [];
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    setTimer: (delayMs, callback) => {
      if (delayMs === leaseMs / 3) beats.push(callback);
      return { cancel: () => {} };
    },
    yield: () => Promise.resolve(),
    track: (work) => work,
  };
  const lock = {
    openLease: async () => ({ id: "l", ttlMs: leaseMs }) satisfies Lease,
    renewLeases: () => new Promise<readonly boolean[]>((resolve) => answers.push(() => resolve([true]))),
  };
  const core = {
    runtime: { clock, random: () => 0.5 },
    options: { leaseMs },
    providers: { lock },
    hostName: "h",
    log: quiet,
  };
  const event = (name: string) => (): void => void told.push(name);
  const made = new LeaseKeeper(core as unknown as HostCore, {
    beat: event("beat"),
    fenced: event("fenced"),
    goOn: event("go on"),
    lost: event("lost"),
    opened: event("opened"),
  });
  return {
    keeper: made,
    told,
    at: (ms) => {
      now = ms;
      if (ms === leaseMs / 3) beats.shift()?.();
    },
    answer: async () => {
      answers.shift()?.();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

it("does not rely on a lease whose renewal was answered after it may have run out", async () => {
  const { keeper: lease, told, at, answer } = keeper();
  await lease.open();
  at(1_000);
  at(4_500);
  await answer();
  expect(lease.inDoubt).toBe(true);
  expect(lease.isSure()).toBe(false);
  expect(told).toEqual(["fenced"]);

  // It has asked again at once, and this answer comes in time.
  at(4_600);
  await answer();
  expect(lease.isSure()).toBe(true);
  expect(told).toEqual(["fenced", "go on", "beat"]);
});
