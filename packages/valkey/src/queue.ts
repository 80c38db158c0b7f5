import type { QueueItem, QueueProvider, Run } from "@wfe/core/providers";
import { Listeners } from "./listeners.ts";
import { script } from "./script.ts";
import type { OpenValkey } from "./valkey.ts";

/** Items that are kept at most; what comes on top is dropped, and found in the store. */
const mostItems = 200_000;
/** A queue that nobody has offered anything to for so long is forgotten. */
const keptMs = 86_400_000;
/** Items that one call of the server takes. */
const batch = 1_000;
/** Runs that a note names; where there are more it names none. */
const mostNamed = 500;

/**
 * Keys: items, hidden, ready, order. Arguments: the channel, the note, how many items are kept, for how long, then of each item its
 * run, its priority, its due time, and in how many milliseconds that is.
 *
 * One entry per workflow. What is offered anew is there at once, also where the one before is hidden by a puller: it was offered
 * because something has happened since. Of one that still waits, the earlier time and the higher priority count.
 */
const push = script(`
for place = 6, #ARGV, 4 do
  local run, priority, due = ARGV[place], tonumber(ARGV[place + 1]), ARGV[place + 2]
  local visible = now + tonumber(ARGV[place + 3])
  local before = redis.call('HGET', KEYS[1], run)
  local order = nil
  if before then
    local p, d, o, waiting = string.match(before, '^([^:]*):([^:]*):([^:]*):([^:]*)$')
    if waiting == '1' then
      order = o
      priority = math.max(priority, tonumber(p))
      if tonumber(d) < tonumber(due) then due = d end
      visible = math.min(visible, tonumber(redis.call('ZSCORE', KEYS[2], run) or now))
    end
    redis.call('ZREM', KEYS[2], run)
    redis.call('ZREM', KEYS[3], run)
  end
  if before or redis.call('HLEN', KEYS[1]) < tonumber(ARGV[4]) then
    order = order or string.format('%.0f', redis.call('INCR', KEYS[4]))
    redis.call('HSET', KEYS[1], run, string.format('%.0f', priority) .. ':' .. due .. ':' .. order .. ':1')
    redis.call('ZADD', KEYS[2], string.format('%.0f', visible), run)
  end
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[5]) end
redis.call('PUBLISH', ARGV[2], ARGV[3])
`);

/**
 * Keys: items, hidden, ready. Arguments: how many, for how long they are hidden. Gives runs, priorities and due times.
 *
 * In `ready`, a higher priority comes first, then what was offered first.
 */
const pull = script(`
local limit, visibility = tonumber(ARGV[2]), tonumber(ARGV[3])
for _, run in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now), 'LIMIT', 0, 5000)) do
  redis.call('ZREM', KEYS[2], run)
  local item = redis.call('HGET', KEYS[1], run)
  if item then
    local priority, _, order = string.match(item, '^([^:]*):([^:]*):([^:]*):')
    local place = tonumber(order) % 4294967296 - tonumber(priority) * 4294967296
    redis.call('ZADD', KEYS[3], string.format('%.0f', place), run)
  end
end
local pulled = {}
local popped = limit > 0 and redis.call('ZPOPMIN', KEYS[3], limit) or {}
for place = 1, #popped, 2 do
  local run = popped[place]
  local priority, due, order = string.match(redis.call('HGET', KEYS[1], run) or '', '^([^:]*):([^:]*):([^:]*):')
  if priority then
    redis.call('HSET', KEYS[1], run, priority .. ':' .. due .. ':' .. order .. ':0')
    redis.call('ZADD', KEYS[2], string.format('%.0f', now + visibility), run)
    pulled[#pulled + 1] = run
    pulled[#pulled + 1] = priority
    pulled[#pulled + 1] = due
  end
end
return pulled
`);

/** Keys: items, hidden, ready. Arguments: runs and due times. One that was offered anew since it was pulled stays. */
const remove = script(`
for place = 2, #ARGV, 2 do
  local run = ARGV[place]
  local _, due = string.match(redis.call('HGET', KEYS[1], run) or '', '^([^:]*):([^:]*):')
  if due == ARGV[place + 1] then
    redis.call('HDEL', KEYS[1], run)
    redis.call('ZREM', KEYS[2], run)
    redis.call('ZREM', KEYS[3], run)
  end
end
`);

export interface ValkeyQueue extends QueueProvider {
  /** Call with a note that has come; null where any may have been missed. */
  readonly heard: (note: QueueNote | null) => void;
}

/** What is told to everyone when something is offered. */
export interface QueueNote {
  readonly offered: readonly Run[] | null;
}

/** Due times are the engine's; here they count from now on, so that the clocks of hosts and server need not agree. */
export function valkeyQueue(opened: () => OpenValkey): ValkeyQueue {
  const listeners = new Listeners<readonly Run[] | undefined>();

  const pushBatch = async (items: readonly QueueItem[]): Promise<void> => {
    const { connection, now, clock } = opened();
    const { items: all, hidden, ready, order, notes } = connection.keys;
    const runs = items.length <= mostNamed ? items.map(({ run }) => run) : null;
    const note: QueueNote = { offered: runs };
    const time = clock.now();
    const args = items.flatMap(({ run, priority, dueAt }) => [run, priority, dueAt, Math.max(0, dueAt - time)]);
    const fixed = [now(), notes, JSON.stringify(note), mostItems, keptMs];
    await connection.run(push, [all, hidden, ready, order], [...fixed, ...args]);
  };

  return {
    push: async (items) => {
      for (let from = 0; from < items.length; from += batch) await pushBatch(items.slice(from, from + batch));
    },

    pull: async ({ limit, visibilityMs }) => {
      const { connection, now } = opened();
      const { items, hidden, ready } = connection.keys;
      const most = Math.min(limit, batch);
      const flat = (await connection.run(pull, [items, hidden, ready], [now(), most, visibilityMs])) as string[];
      const candidates: QueueItem[] = [];
      for (let place = 0; place < flat.length; place += 3) {
        const [run, priority, dueAt] = flat.slice(place, place + 3).map(Number) as [number, number, number];
        candidates.push({ run, priority, dueAt });
      }
      return { claimed: [], candidates };
    },

    remove: async (removed) => {
      const { connection, now } = opened();
      const { items, hidden, ready } = connection.keys;
      for (let from = 0; from < removed.length; from += batch) {
        const args = removed.slice(from, from + batch).flatMap(({ run, dueAt }) => [run, dueAt]);
        await connection.run(remove, [items, hidden, ready], [now(), ...args]);
      }
    },

    hints: (listener) => listeners.add(listener),

    heard: (note) => listeners.tell(note?.offered ?? undefined),
  };
}
