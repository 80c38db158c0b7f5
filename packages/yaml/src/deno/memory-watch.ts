import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * Calls `onExceeded` once, when a process holds more than `limitMb` of memory. V8's own limit does not count buffers; this does.
 *
 * Looks every 25 ms on Linux, every half second elsewhere.
 */
export function watchMemory(pid: number, limitMb: number, onExceeded: (usedMb: number) => void): { stop(): void } {
  const isLinux = process.platform === "linux";
  const look = (usedMb: number): void => {
    if (usedMb <= limitMb) return;
    clearInterval(timer);
    onExceeded(usedMb);
  };
  const timer = setInterval(
    () => {
      if (isLinux) look(residentMb(pid));
      else {
        execFile("ps", ["-o", "rss=", "-p", String(pid)], (_error, stdout) => look(Number(stdout.trim()) / 1024 || 0));
      }
    },
    isLinux ? 25 : 500,
  );
  timer.unref();
  return { stop: () => clearInterval(timer) };
}

/** 0 where the process is gone. */
function residentMb(pid: number): number {
  try {
    // A file of the kernel, in memory: reading it waits for nothing.
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"));
    return Number(match?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}
