import { readFileSync, readlinkSync } from "node:fs";
import type { ProcessIdentity } from "../../providers/lock-provider.ts";

/**
 * What identifies this process on its machine, so that others there can prove that it is gone. null where the system does not
 * tell (anything but Linux, or no `/proc`): then its lease runs out.
 */
export function processIdentity(): ProcessIdentity | null {
  if (process.platform !== "linux") return null;
  try {
    const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const pidNamespace = readlinkSync("/proc/self/ns/pid");
    const startedAt = startTimeOf(readFileSync("/proc/self/stat", "utf8"));
    return startedAt === undefined ? null : { pid: process.pid, bootId, pidNamespace, startedAt };
  } catch {
    return null;
  }
}

/** Field 22 of `/proc/<pid>/stat` (proc_pid_stat(5)). The second one, the name, may hold blanks and brackets. */
function startTimeOf(stat: string): string | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[22 - 3];
}
