import { deserialize, serialize } from "node:v8";
import type { LifecycleEvent, LifecyclePublisher, Timer } from "@wfe/core/providers";
import { Listeners } from "./listeners.ts";
import { script } from "./script.ts";
import type { OpenValkey } from "./valkey.ts";

type Events = readonly LifecycleEvent[];

/** How long what was published is gathered before it is sent. */
const gatherMs = 10;
/** What waits to be sent: events, and roughly their bytes. What comes on top is dropped. */
const maxGathered = 5_000;
const maxGatheredBytes = 8 * 1024 * 1024;
/** How long a listener counts without a sign of life, and how often it gives one. */
const listenerMs = 30_000;
const listenerRenewMs = 10_000;
const sayAgainMs = 500;

/** Keys: the listeners. Arguments: our name, until when we listen ("" for no longer), for how long that is kept, the channel, the note. */
const register = script(`
if ARGV[3] == '' then
  redis.call('ZREM', KEYS[1], ARGV[2])
else
  redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[3]), ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
redis.call('PUBLISH', ARGV[5], ARGV[6])
`);

/** Keys: the listeners. Arguments: our name. Gives how many others listen. */
const countOthers = `
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local others = redis.call('ZCARD', KEYS[1])
if redis.call('ZSCORE', KEYS[1], ARGV[2]) then others = others - 1 end
`;
const look = script(`${countOthers} return others`);

/** The same, and publishes where somebody listens. Arguments: our name, the channel, the events. */
const publishToOthers = script(`${countOthers}
if others > 0 then redis.call('PUBLISH', ARGV[3], ARGV[4]) end
return others
`);

/** What is told to everyone when somebody begins or ends to listen. */
export interface ListenersNote {
  readonly listeners: true;
}

export interface ValkeyLifecycle extends LifecyclePublisher {
  /** Call when the connections are open. */
  readonly start: () => void;
  /** Call when somebody has begun or ended to listen. */
  readonly listenersChanged: () => void;
  /** Call when the connection was lost and is there again: notes may have been missed, and the server may have forgotten everything. */
  readonly returned: () => void;
  /** Call with what comes on the channel. */
  readonly heard: (message: Buffer) => void;
  /** Call before the connections are closed. */
  readonly stop: () => Promise<void>;
}

/**
 * Hands events to the listeners of this process at once, and to other processes by a channel, only while one of those listens.
 * Bounded, and dropped where that is not enough. `open` gives the open provider, or undefined.
 */
export function valkeyLifecycle(open: () => OpenValkey | undefined): ValkeyLifecycle {
  const listeners = new Listeners<Events>();
  let gathered: LifecycleEvent[] = [];
  let gatheredBytes = 0;
  let flushTimer: Timer | undefined;
  let renewTimer: Timer | undefined;
  /** Whether another process listens, as far as was heard. */
  let others = false;

  const flush = async (): Promise<void> => {
    flushTimer = undefined;
    const events = gathered;
    gathered = [];
    gatheredBytes = 0;
    const current = open();
    if (current === undefined || events.length === 0) return;
    const { connection, now, self } = current;
    const bytes = bytesOf(self, events);
    if (bytes === undefined) return;
    const { keys } = connection;
    others = Number(await connection.run(publishToOthers, [keys.listeners], [now(), self, keys.lifecycle, bytes])) > 0;
  };

  const gather = (events: Events): void => {
    for (const event of events) {
      if (gathered.length >= maxGathered || gatheredBytes >= maxGatheredBytes) break;
      gathered.push(event);
      gatheredBytes += 300 + (event.chunk?.length ?? 0);
    }
    flushTimer ??= open()?.clock.setTimer(gatherMs, () => void flush().catch(dropped), { background: true });
  };

  /** Says that this process listens, or that it does no longer. */
  const sayWhetherListening = async (): Promise<void> => {
    renewTimer?.cancel();
    const current = open();
    if (current === undefined) return;
    const { connection, now, self, clock } = current;
    const { keys } = connection;
    const isListening = listeners.size > 0;
    if (isListening) renewTimer = clock.setTimer(listenerRenewMs, say, { background: true });
    const note: ListenersNote = { listeners: true };
    const time = isListening ? listenerMs : "";
    await connection.run(
      register,
      [keys.listeners],
      [now(), self, time, 2 * listenerMs, keys.notes, JSON.stringify(note)],
    );
  };
  // That we listen is said again soon where it could not be; that we do no longer is forgotten after some time.
  const say = (): void =>
    void sayWhetherListening().catch(() => {
      renewTimer?.cancel();
      if (listeners.size > 0) renewTimer = open()?.clock.setTimer(sayAgainMs, say, { background: true });
    });

  const lookForOthers = async (): Promise<void> => {
    const current = open();
    if (current === undefined) return;
    const { connection, now, self } = current;
    others = Number(await connection.run(look, [connection.keys.listeners], [now(), self])) > 0;
  };
  const listenersChanged = (): void => void lookForOthers().catch(dropped);

  return {
    publish: (events) => {
      if (events.length === 0) return;
      listeners.tell(events);
      if (others) gather(events);
    },

    subscribe: (listener) => {
      const end = listeners.add(listener);
      if (listeners.size === 1) begin();
      return () => {
        end();
        if (listeners.size > 0) return;
        const connection = open()?.connection;
        connection?.leave(connection.keys.lifecycle);
        say();
      };
    },

    get hasListeners() {
      return others || listeners.size > 0;
    },

    start: () => {
      others = false;
      if (listeners.size > 0) begin();
      listenersChanged();
    },

    listenersChanged,

    returned: () => {
      if (listeners.size > 0) say();
      listenersChanged();
    },

    heard: (message) => {
      const sent = sentIn(message);
      if (sent !== undefined && sent.from !== open()?.self) listeners.tell(sent.events);
    },

    stop: async () => {
      flushTimer?.cancel();
      renewTimer?.cancel();
      await flush().catch(dropped);
      const current = open();
      if (current === undefined || listeners.size === 0) return;
      const { connection, now, self } = current;
      const { keys } = connection;
      const note: ListenersNote = { listeners: true };
      const args = [now(), self, "", 2 * listenerMs, keys.notes, JSON.stringify(note)];
      await connection.run(register, [keys.listeners], args).catch(dropped);
    },
  };

  function begin(): void {
    const connection = open()?.connection;
    connection?.hear(connection.keys.lifecycle);
    say();
  }
}

interface Sent {
  readonly from: string;
  readonly events: Events;
}

/** Undefined where it holds what cannot be sent. */
function bytesOf(from: string, events: Events): Buffer | undefined {
  try {
    return serialize({ from, events } satisfies Sent);
  } catch {
    return undefined;
  }
}

/** Undefined where it is not ours. */
function sentIn(message: Buffer): Sent | undefined {
  try {
    return deserialize(message) as Sent;
  } catch {
    return undefined;
  }
}

function dropped(): void {
  // Best effort, by contract.
}
