import { createHash } from "node:crypto";
import type { Client } from "./target.ts";

/** A script that runs on the server, as one step that nothing interrupts. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
  /** The same for a server that does not know flags of scripts yet. */
  readonly plain?: Script;
}

/** Gives the current time as `now`: that of the first argument, or the server's where that one is empty. */
const nowFirst = `
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/** A script whose first argument is the time. */
export function script(body: string): Script {
  return hashed(nowFirst + body);
}

/** One that runs also where the server's memory is full: for what is small, and what a host cannot do without. */
export function vitalScript(body: string): Script {
  const plain = script(body);
  return { ...hashed(`#!lua flags=allow-oom\n${plain.lua}`), plain };
}

function hashed(lua: string): Script {
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

export type Argument = string | number | Buffer;

/** Servers of before Redis 7, which take a flag for a fault in the script. */
const withoutFlags = new WeakSet<Client>();

/** Runs a script, which the server is given where it does not know it (any more). */
export async function runScript(
  client: Client,
  { lua, sha, plain }: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  if (plain !== undefined && withoutFlags.has(client)) return runScript(client, plain, keys, args);
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
  }
  try {
    return await client.eval(lua, keys.length, ...keys, ...args);
  } catch (error) {
    if (plain === undefined || !(error instanceof Error) || !error.message.includes("near '#'")) throw error;
    withoutFlags.add(client);
    return runScript(client, plain, keys, args);
  }
}
