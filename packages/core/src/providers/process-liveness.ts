import { readFileSync, readlinkSync } from "node:fs";
import type { ProcessIdentity } from "./lock-provider.ts";

/**
 * Whether the process is proven to run no more: only a process of this machine, boot and pid namespace can be. `own` is the
 * identity of some process that is here; on Linux it is not needed.
 */
export function isProvenGone(process: ProcessIdentity, own: ProcessIdentity | null): boolean {
  const here = placeHere() ?? own;
  if (here === null || process.bootId !== here.bootId || process.pidNamespace !== here.pidNamespace) return false;
  if (process.bootId === "" || process.pid <= 0) return false;
  const started = startTime(process.pid);
  if (started === "unknown") return !exists(process.pid);
  // Some systems hide the processes of other users: what cannot be seen may still be there.
  if (started === undefined) return !exists(process.pid);
  return started === "ended" || started !== process.startedAt;
}

interface Place {
  readonly bootId: string;
  readonly pidNamespace: string;
}

/** Undefined where there is no /proc. */
function placeHere(): Place | undefined {
  try {
    return {
      bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
      pidNamespace: readlinkSync("/proc/self/ns/pid"),
    };
  } catch {
    return undefined;
  }
}

/** Clock ticks since boot; `ended` for one that only waits to be collected; undefined where none is seen; `unknown` without /proc. */
function startTime(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return process.platform === "linux" ? undefined : "unknown";
  }
  // The second field is the command in parentheses, which may hold anything: count from behind it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  return state === "Z" || state === "X" ? "ended" : fields[19];
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
