import { StoreError, type Clock, type Provider, type Runtime } from "@wfe/core/providers";

/** How a host reaches its store. `cut`: no call arrives. `deaf`: calls take effect, and their answers are lost. */
export type Line = "open" | "cut" | "deaf";

/**
 * Stands between a host and everything outside of it, and cuts it off from one moment to the next, as `kill -9` does: no call
 * reaches the store any more, no answer comes back, no timer fires. Calls that had reached the store by then take effect.
 *
 * Bodies that run go on, as an outside service would that they had called: what they return reaches nobody.
 *
 * It also cuts the line to the store, while the host lives: see {@link Line}.
 */
export class KillSwitch {
  #killed = false;
  #line: Line = "open";
  #onKill: (() => void)[] = [];

  kill(): void {
    this.#killed = true;
    for (const release of this.#onKill) release();
    this.#onKill = [];
  }

  /** Changes how the store is reached, from the next call on. */
  set line(line: Line) {
    this.#line = line;
  }

  runtime(runtime: Runtime): Runtime {
    return {
      clock: this.#clock(runtime.clock),
      random: () => runtime.random(),
      randomId: () => runtime.randomId(),
    };
  }

  provider(provider: Provider): Provider {
    const gated: { -readonly [Key in keyof Provider]: Provider[Key] } = {
      name: provider.name,
      open: (context) => this.#answer(() => provider.open(context)),
      close: () => provider.close(),
      ping: () => this.#answer(() => provider.ping()),
    };
    if (provider.persistence !== undefined) gated.persistence = this.#gate(provider.persistence);
    if (provider.lock !== undefined) gated.lock = this.#gate(provider.lock);
    if (provider.queue !== undefined) gated.queue = this.#gate(provider.queue);
    if (provider.lifecycle !== undefined) gated.lifecycle = this.#gate(provider.lifecycle);
    return gated;
  }

  #clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (delayMs, callback, options) =>
        clock.setTimer(
          delayMs,
          () => {
            if (!this.#killed) callback();
          },
          options,
        ),
      yield: () => this.#answer(() => clock.yield()),
      track: (work, kind) => {
        // What a dead host has under way never ends, and the clock is not to wait for it.
        const over = new Promise<void>((resolve) => {
          if (this.#killed) resolve();
          else this.#onKill.push(resolve);
          work.then(
            () => resolve(),
            () => resolve(),
          );
        });
        void clock.track(over, kind);
        return work;
      },
    };
  }

  #gate<Service extends object>(service: Service): Service {
    return new Proxy(service, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function") return member;
        // What is not asynchronous (`hints`, `subscribe`...) is no call over the line.
        const local = key === "hints" || key === "subscribe" || (key === "publish" && "hasListeners" in target);
        return (...args: unknown[]) => this.#call(() => Reflect.apply(member, target, args) as unknown, local);
      },
    });
  }

  #call(call: () => unknown, local: boolean): unknown {
    if (this.#killed) return never();
    if (local) return call();
    if (this.#line === "cut") return Promise.reject(unreachable("not-applied"));
    const result = call();
    if (!(result instanceof Promise)) return result;
    if (this.#line === "deaf") return this.#answer(() => result.then(() => Promise.reject(unreachable("unknown"))));
    return this.#answer(() => result);
  }

  #answer<T>(call: () => Promise<T>): Promise<T> {
    if (this.#killed) return never();
    return new Promise((resolve, reject) => {
      call().then(
        (value) => {
          if (!this.#killed) resolve(value);
        },
        (error: unknown) => {
          if (!this.#killed) reject(error instanceof Error ? error : new Error(String(error)));
        },
      );
    });
  }
}

function unreachable(outcome: "not-applied" | "unknown"): StoreError {
  return new StoreError("STORE_UNREACHABLE", "the store cannot be reached: the line is cut", {
    outcome,
    transient: true,
  });
}

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
