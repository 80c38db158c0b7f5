import { spawn, type ChildProcess, type SpawnOptions } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { guardGroup, readyGuard } from "./group-guard.ts";

/** How a process ended: its exit code, or the signal that ended it. */
export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running process that leads a group of its own: its children and theirs belong to it, unless they leave on purpose. */
export interface ProcessGroup {
  readonly child: ChildProcess;
  readonly pid: number;
  /** Settles when the leader has ended; others of the group may still run. Rejects where it could not be started. */
  readonly exited: Promise<Ending>;
  /** Whether any process of the group is left. */
  alive(): boolean;
  /** Signals every process of the group; nothing where none is left. */
  signal(signal: NodeJS.Signals): void;
  /** TERM to all of the group, and KILL to what is left after `graceMs`. Resolves when none is left. */
  end(graceMs: number): Promise<void>;
}

/** The variable whose value marks all processes of one step, those that left the group included. */
export const markerVariable = "WFE_STEP_PROCESS";

/**
 * Starts a process in a group (and session) of its own, which dies with this process even if that is killed.
 *
 * `marker` finds descendants that opened a session of their own: on Linux, `end` kills them too, by the value of
 * {@link markerVariable} in their environment. `cleanUp` is called should this process exit before the group has ended.
 */
export function startGroup(
  command: string,
  args: readonly string[],
  options: SpawnOptions & { readonly marker?: string | undefined; readonly cleanUp?: (() => void) | undefined },
): ProcessGroup {
  const { marker, cleanUp, ...rest } = options;
  readyGuard();
  const child = spawn(command, args, { ...rest, detached: true });
  // Without a handler, writing to a process that has ended would throw in the host.
  child.stdin?.on("error", () => {});
  const exited = new Promise<Ending>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  // Whoever waits gets the error; nobody has to.
  exited.catch(() => {});
  const pid = child.pid ?? 0;
  const guarded = pid === 0 ? undefined : guardGroup(pid, cleanUp);

  const alive = (): boolean => pid !== 0 && send(-pid, 0);
  const group: ProcessGroup = {
    child,
    pid,
    exited,
    alive,
    signal: (signal) => {
      if (pid !== 0) send(-pid, signal);
    },
    end: async (graceMs) => {
      if (pid === 0) return;
      const deserters = (): number[] => (marker === undefined ? [] : marked(marker, pid));
      for (const deserter of deserters()) send(deserter, "SIGTERM");
      if (send(-pid, "SIGTERM")) await until(() => !alive(), graceMs);
      // A member that forks while it is killed may leave one behind: repeat until none is there.
      for (let waitMs = 1; send(-pid, "SIGKILL") && waitMs < 5_000; waitMs *= 2) await until(() => !alive(), waitMs);
      for (let waitMs = 1, left = deserters(); left.length > 0 && waitMs < 1_000; waitMs *= 2, left = deserters()) {
        for (const deserter of left) send(deserter, "SIGKILL");
        await until(() => !left.some((deserter) => send(deserter, 0)), waitMs);
      }
      guarded?.release();
    },
  };
  void exited.then(
    () => {
      if (!alive()) guarded?.release();
    },
    () => guarded?.release(),
  );
  return group;
}

/** Whether the signal reached anyone. 0 only asks. */
function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    // EPERM: it is there, and belongs to somebody else (a set-user-id program).
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Processes outside the group that carry the marker. Linux only; elsewhere none. */
function marked(marker: string, group: number): number[] {
  if (process.platform !== "linux") return [];
  const text = `${markerVariable}=${marker}\0`;
  const found: number[] = [];
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (!readFileSync(`/proc/${name}/environ`, "latin1").includes(text)) continue;
      // Members get their signals as members, all at once: a shell must not see its child die before it hears of the end.
      const [, , memberOf] = readFileSync(`/proc/${name}/stat`, "latin1")
        .replace(/^.*\) /s, "")
        .split(" ");
      if (Number(memberOf) !== group) found.push(pid);
    } catch {
      // Gone meanwhile, or not ours to look at.
    }
  }
  return found;
}

/** Waits until `done` says so, or the time is over. Real time: processes know no other. */
async function until(done: () => boolean, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (let pauseMs = 1; !done() && performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 20)) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
