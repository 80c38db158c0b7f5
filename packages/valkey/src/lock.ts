import { isProvenGone, type Lease, type LockProvider, type ProcessIdentity } from "@wfe/core/providers";
import type { OpenValkey } from "./valkey.ts";
import { script, vitalScript } from "./script.ts";

/**
 * How much longer than it lives the server keeps a lease that nobody has declared dead. Until then its holder, which may have slept,
 * can renew it.
 */
const keptMs = 3_600_000;

/**
 * How much of a lease may pass until a renewal is given up. A host asks every third, and is in doubt after two: so, while the server
 * answers nothing, one renewal is over and the next one as well before the first has grown too old.
 */
const renewalShare = 1 / 8;

/** Keys: the lease. Arguments: its time to live, how long it is kept, its holder. */
const openLease = vitalScript(`
redis.call('HSET', KEYS[1], 'expires', now + ARGV[2], 'process', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[2] + ARGV[3])
`);

/** Keys: the leases. Arguments: how long they are kept, their times to live. A lease that is not there stays so. */
const renewLeases = vitalScript(`
local renewed = {}
for place, lease in ipairs(KEYS) do
  renewed[place] = redis.call('EXISTS', lease)
  if renewed[place] == 1 then
    local ttl = tonumber(ARGV[place + 2])
    redis.call('HSET', lease, 'expires', now + ttl)
    redis.call('PEXPIRE', lease, ttl + ARGV[2])
  end
end
return renewed
`);

/** Keys: the leases. */
const holdersOf = script(`
local holders = {}
for place, lease in ipairs(KEYS) do holders[place] = redis.call('HGET', lease, 'process') or '' end
return holders
`);

/** Keys: the leases. Arguments: of each, whether its holder is gone. Gives which are dead, and sees to it that they stay so. */
const reap = script(`
local dead = {}
for place, lease in ipairs(KEYS) do
  local expires = tonumber(redis.call('HGET', lease, 'expires') or '0')
  dead[place] = 0
  if expires <= now or ARGV[place + 1] == '1' then
    redis.call('DEL', lease)
    dead[place] = 1
  end
end
return dead
`);

/**
 * Keys: the holders, the lease, then the leases of those who hold something now. Arguments: the id of the lease, how many keys, the
 * keys, who holds each as far as was seen, then the ids of the leases. Gives 1 for what is taken now, 0 for what somebody else has,
 * 2 where it is not as was seen.
 */
const acquire = vitalScript(`
local isLive = {}
for place = 2, #KEYS do
  local id = place == 2 and ARGV[2] or ARGV[3 + 2 * ARGV[3] + place - 2]
  isLive[id] = tonumber(redis.call('HGET', KEYS[place], 'expires') or '0') > now
end
local taken = {}
for place = 1, tonumber(ARGV[3]) do
  local key, seen = ARGV[3 + place], ARGV[3 + ARGV[3] + place]
  local holder = redis.call('HGET', KEYS[1], key) or ''
  if not isLive[ARGV[2]] then
    taken[place] = 0
  elseif holder == ARGV[2] then
    taken[place] = 1
  elseif holder ~= seen then
    taken[place] = 2
  elseif holder ~= '' and isLive[holder] then
    taken[place] = 0
  else
    redis.call('HSET', KEYS[1], key, ARGV[2])
    taken[place] = 1
  end
end
return taken
`);

/** Keys: the holders. Arguments: the id of the lease, then the keys. Who came back from a long pause must not free its successor's key. */
const release = script(`
for place = 3, #ARGV do
  if redis.call('HGET', KEYS[1], ARGV[place]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[place]) end
end
`);

/** Keys: the leases. */
const closeLeases = script("for _, lease in ipairs(KEYS) do redis.call('DEL', lease) end");

/**
 * Leases by the server's clock. A lease that is there is not dead, one that is not there is: it dies once, when it is deleted, and
 * nothing creates it again.
 */
export function valkeyLock(name: () => string, opened: () => OpenValkey): LockProvider {
  /** Of a lease opened here: says which machine this is, where there is no /proc to ask. */
  let own: ProcessIdentity | null = null;
  /** What the leases of this process hold, so that it is freed with them. */
  const held = new Map<string, Set<string>>();

  const leaseKeys = (ids: readonly string[]): readonly string[] => ids.map((id) => opened().connection.keys.lease(id));

  const free = async (keys: readonly string[], id: string): Promise<void> => {
    const { connection, now } = opened();
    if (keys.length > 0) await connection.run(release, [connection.keys.holders], [now(), id, ...keys]);
  };

  return {
    get name() {
      return name();
    },

    openLease: async ({ ttlMs, holder }) => {
      const { connection, now, runtime } = opened();
      own ??= holder.process;
      const lease: Lease = { id: runtime.randomId(), ttlMs };
      const process = holder.process === null ? "" : JSON.stringify(holder.process);
      await connection.run(openLease, [connection.keys.lease(lease.id)], [now(), ttlMs, keptMs, process]);
      return lease;
    },

    renewLeases: async (leases) => {
      if (leases.length === 0) return [];
      const { connection, now } = opened();
      const times = leases.map(({ ttlMs }) => ttlMs);
      const keys = leaseKeys(leases.map(({ id }) => id));
      const patienceMs = Math.min(...times) * renewalShare;
      const args = [now(), keptMs, ...times];
      const renewed = (await connection.run(renewLeases, keys, args, patienceMs)) as readonly number[];
      return renewed.map((each) => each === 1);
    },

    closeLeases: async (leases) => {
      if (leases.length === 0) return;
      const { connection, now } = opened();
      await connection.run(closeLeases, leaseKeys(leases.map(({ id }) => id)), [now()]);
      for (const { id } of leases) {
        const keys = held.get(id);
        held.delete(id);
        if (keys !== undefined) await free([...keys], id);
      }
    },

    reap: async (leaseIds) => {
      if (leaseIds.length === 0) return [];
      const { connection, now } = opened();
      const keys = leaseKeys(leaseIds);
      const holders = (await connection.run(holdersOf, keys, [now()])) as readonly string[];
      const gone = holders.map((holder) => (isGone(holder, own) ? 1 : 0));
      const dead = (await connection.run(reap, keys, [now(), ...gone])) as readonly number[];
      return leaseIds.filter((_, index) => dead[index] === 1);
    },

    acquire: async (keys, lease) => {
      if (keys.length === 0) return [];
      const { connection } = opened();
      const { holders, lease: leaseKey } = connection.keys;
      const taken = new Map<string, boolean>();
      let left = [...new Set(keys)];
      // A script may touch only what it is told of beforehand, so it is told who holds what, and looks whether that is still so. Who is
      // late finds the quicker one's live lease the next time.
      while (left.length > 0) {
        const seen = (await connection.hmget(holders, left)).map((holder) => holder ?? "");
        const others = [...new Set(seen)].filter((id) => id !== "" && id !== lease.id);
        const answers = (await connection.run(
          acquire,
          [holders, leaseKey(lease.id), ...others.map(leaseKey)],
          [opened().now(), lease.id, left.length, ...left, ...seen, ...others],
        )) as readonly number[];
        for (const [index, key] of left.entries()) if (answers[index] !== 2) taken.set(key, answers[index] === 1);
        left = left.filter((key) => !taken.has(key));
      }
      const mine = held.get(lease.id) ?? new Set();
      for (const [key, isMine] of taken) if (isMine) mine.add(key);
      if (mine.size > 0) held.set(lease.id, mine);
      return keys.map((key) => taken.get(key) === true);
    },

    release: async (keys, lease) => {
      await free(keys, lease.id);
      for (const key of keys) held.get(lease.id)?.delete(key);
    },
  };
}

function isGone(holder: string, own: ProcessIdentity | null): boolean {
  return holder !== "" && isProvenGone(JSON.parse(holder) as ProcessIdentity, own);
}
