import type { Clock, PersistenceProvider, Provider } from "../../../src/providers/index.ts";
import { StoreError } from "../../../src/providers/index.ts";

type Method = keyof PersistenceProvider;

/** What happens to one call: nothing, an error before it reaches the store, or an error after the store has done it. */
export type Fault = undefined | "before" | "after" | "before-permanent" | "hang";

/** A provider as one host sees it: its calls can be made to fail, and the host can be cut off as if its process had died. */
export interface Faulty extends Provider {
  /** Asked for each call of the store. */
  fault: (method: Method, call: number) => Fault;
  /** While true every call fails, and nothing reaches the store. */
  isCut: boolean;
  /** From now on nothing answers, as after `kill -9`. */
  kill(): void;
  /** A clock for a host that is to be killed: its timers end with it. */
  mortal(clock: Clock): Clock;
  readonly calls: Map<string, number>;
}

export function faulty(provider: Provider): Faulty {
  const calls = new Map<string, number>();
  let killed = false;
  const never = new Promise<never>(() => {});
  let bury = (): void => {};
  const dead = new Promise<void>((resolve) => (bury = resolve));
  const wrap = <Part extends object>(part: Part, guarded: boolean): Part =>
    new Proxy(part, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name);
        if (typeof value !== "function" || name === "hints") return killed && name === "hints" ? () => () => {} : value;
        return (...args: unknown[]): unknown => {
          if (killed) return never;
          const call = (calls.get(String(name)) ?? 0) + 1;
          calls.set(String(name), call);
          const fault = faults.isCut ? "before" : guarded ? faults.fault(name as Method, call) : undefined;
          return act(
            fault,
            () => (value as (...all: unknown[]) => Promise<unknown>).apply(target, args),
            () => killed,
          );
        };
      },
    });
  const act = async (fault: Fault, call: () => Promise<unknown>, isKilled: () => boolean): Promise<unknown> => {
    if (fault === "hang") return never;
    if (fault === "before") throw new StoreError("BUSY", "busy", { outcome: "not-applied", transient: true });
    if (fault === "before-permanent")
      throw new StoreError("BROKEN", "broken", { outcome: "not-applied", transient: false });
    const result = await call();
    if (isKilled()) return never;
    if (fault === "after") throw new StoreError("LOST", "connection lost", { outcome: "unknown", transient: true });
    return result;
  };
  const faults: Faulty = {
    name: provider.name,
    calls,
    fault: () => undefined,
    isCut: false,
    kill: () => {
      killed = true;
      bury();
    },
    mortal: (clock) => ({
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      yield: () => (killed ? never : clock.yield()),
      setTimer: (delayMs, callback, options) =>
        clock.setTimer(delayMs, () => (killed ? undefined : callback()), options),
      track: (work, kind) => {
        void clock.track(
          Promise.race([work, dead]).catch(() => {}),
          kind,
        );
        return work;
      },
    }),
    open: (context) => provider.open(context),
    close: () => provider.close(),
    ping: () => provider.ping(),
  };
  return Object.assign(faults, {
    persistence: wrap(provider.persistence!, true),
    lock: wrap(provider.lock!, false),
    queue: wrap(provider.queue!, false),
    ...(provider.lifecycle === undefined ? {} : { lifecycle: provider.lifecycle }),
  });
}
