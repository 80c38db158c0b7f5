import { createHash } from "node:crypto";
import type { Client } from "./target.ts";

/** A script that runs on the server, as one step that nothing interrupts. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
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
  const lua = nowFirst + body;
  return { lua, sha: createHash("sha1").update(lua).digest("hex") };
}

export type Argument = string | number | Buffer;

/** Runs a script, which the server is given where it does not know it (any more). */
export async function runScript(
  client: Client,
  { lua, sha }: Script,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith("NOSCRIPT")) throw error;
    return await client.eval(lua, keys.length, ...keys, ...args);
  }
}
