import {
  type Clock,
  InvalidOptionError,
  type Provider,
  type ProviderContext,
  type Runtime,
  StoreError,
  systemClock,
} from "@wfe/core/providers";
import { Connection } from "./connection.ts";
import { type ListenersNote, valkeyLifecycle } from "./lifecycle.ts";
import { valkeyLock } from "./lock.ts";
import { type QueueNote, valkeyQueue } from "./queue.ts";
import { targetOf, type ValkeyOptions, type ValkeyTarget } from "./target.ts";

/** What the parts of an open provider share. */
export interface OpenValkey {
  readonly connection: Connection;
  readonly runtime: Runtime;
  readonly clock: Clock;
  /** The first argument of every script: empty, for the server's time; of another clock than the machine's, the time that it shows. */
  readonly now: () => string;
  /** Names this provider among those that use the server. */
  readonly self: string;
}

/**
 * Lock, queue and lifecycle on Valkey 7.2 or later, or Redis 6.2 or later, also on a cluster. It stands behind a provider that
 * stores workflows:
 *
 * ```ts
 * new WorkflowHost({ providers: [postgres(url), valkey("redis://localhost:6379")], workflows });
 * ```
 *
 * Nothing that it holds is needed: a server that loses its data or stops costs time and repeated attempts. Every host of a store
 * has to use it, with the same prefix; stores may share both. It makes two connections of its own, also where it is given a client.
 */
export function valkey(target: ValkeyTarget, options: ValkeyOptions = {}): Provider {
  const checked = targetOf(target, options);
  let opens = 0;
  let current: OpenValkey | undefined;
  let opening: Promise<void> | undefined;
  /** Of whoever opened it first, and not closed it since. */
  let context: ProviderContext | undefined;

  const opened = (): OpenValkey => {
    if (current !== undefined) return current;
    throw new StoreError(
      "STORE_CLOSED",
      `Valkey at ${checked.name} is not open: start the host that uses it, or call \`open\``,
      { outcome: "not-applied", transient: false },
    );
  };
  // Not of one server: one that has lost its data, or a replica that was promoted, takes its predecessor's place.
  const lockName = (): string =>
    context?.store === undefined ? `valkey:${checked.prefix}` : `valkey:${checked.prefix}:${context.store}`;
  const queue = valkeyQueue(opened);
  const lifecycle = valkeyLifecycle(() => current);

  const hear = (note: QueueNote | ListenersNote): void => {
    if ("offered" in note) queue.heard(note);
    else lifecycle.listenersChanged();
  };

  const open = async ({ runtime, store }: ProviderContext): Promise<void> => {
    const { clock } = runtime;
    const connection = new Connection(checked, store, () => runtime.random());
    await connection.open();
    connection.messages.add(({ channel, message }) => {
      if (channel === connection.keys.lifecycle) lifecycle.heard(message);
      else hear(JSON.parse(message.toString()) as QueueNote | ListenersNote);
    });
    connection.returned.add(() => {
      queue.heard(null);
      lifecycle.returned();
    });
    const now = clock === systemClock ? () => "" : () => String(clock.now());
    current = { connection, runtime, clock, now, self: runtime.randomId() };
    lifecycle.start();
  };

  return {
    name: "valkey",
    lock: valkeyLock(lockName, opened),
    queue,
    lifecycle,

    open: async (given) => {
      context ??= given;
      if (context.runtime.clock !== given.runtime.clock) {
        throw new InvalidOptionError("hosts that share a valkey() need one clock: give them the same `clock`");
      }
      if (context.store !== given.store) {
        throw new InvalidOptionError(
          "a valkey() serves the hosts of one store, and this one serves another: give the hosts of each store one of its own, `valkey(...)` with the same server",
        );
      }
      opens += 1;
      opening ??= open(given);
      try {
        await opening;
      } catch (error) {
        opens -= 1;
        if (opens === 0) opening = context = undefined;
        throw error;
      }
    },

    close: async () => {
      if (opens === 0) return;
      opens -= 1;
      if (opens > 0) return;
      opening = context = undefined;
      await lifecycle.stop();
      current?.connection.close();
      current = undefined;
    },

    ping: async () => {
      await opened().connection.ping();
    },
  };
}
