import { readFileSync } from "node:fs";

/** Whether a process runs. One that has ended and that nobody has asked about (a zombie) does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  try {
    const status = readFileSync(`/proc/${pid}/stat`, "utf8");
    return status.slice(status.lastIndexOf(")") + 2, status.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return true;
  }
}

/** The process that a test run ends with: vitest's own where this is one of its workers, else this one. */
export function testRunPid(): number {
  return process.env["VITEST"] === undefined ? process.pid : process.ppid;
}
