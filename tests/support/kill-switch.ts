import type { Clock, Provider, Runtime } from "@wfe/core/providers";

/**
 * Stands between a host and everything outside of it, and cuts it off from one moment to the next, as `kill -9` does: no call
 * reaches the store any more, no answer comes back, no timer fires. Calls that had reached the store by then take effect.
 *
 * Bodies that run go on, as an outside service would that they had called: what they return reaches nobody.
 */
export class KillSwitch {
  #killed = false;
  #onKill: (() => void)[] = [];

  kill(): void {
    this.#killed = true;
    for (const release of this.#onKill) release();
    this.#onKill = [];
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
        return (...args: unknown[]) => this.#call(() => Reflect.apply(member, target, args) as unknown);
      },
    });
  }

  #call(call: () => unknown): unknown {
    if (this.#killed) return never();
    const result = call();
    return result instanceof Promise ? this.#answer(() => result) : result;
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

function never<T>(): Promise<T> {
  return new Promise(() => {});
}
