import { spawn, type ChildProcess } from "node:child_process";

/** A group that is killed when this process ends. */
export interface GuardedGroup {
  /** The group has ended: its number may soon belong to others. */
  release(): void;
}

/**
 * What the guard runs: it notes the groups it is told of, and when its standard input ends, because whoever wrote to it is gone,
 * it ends those that are left. Its groups are its own variables: numbers only, written by this file.
 */
const guardScript = `
groups=" "
while read -r verb group; do
  case $verb in
    +) groups="$groups$group " ;;
    -) case $groups in *" $group "*) groups="\${groups%% $group *} \${groups#* $group }" ;; esac ;;
  esac
done
for group in $groups; do kill -s TERM -- "-$group"; done 2>/dev/null
[ -n "\${groups# }" ] && sleep 1
for group in $groups; do kill -s KILL -- "-$group"; done 2>/dev/null
`;

// One for the process, like its exit handlers: it stands for the process's life, which no object of ours can see the end of.
let guard: ChildProcess | undefined;
/** The groups that run, and what is to be done after each where this process ends first. */
const groups = new Map<number, (() => void) | undefined>();

/**
 * Has a process group killed should this process end without having released it: on its exit, and also when it is killed with
 * SIGKILL, by a small shell of its own that waits for that. The shell is started with the first group, keeps nobody alive, and
 * costs a megabyte. `cleanUp` is called on exit too; it is synchronous.
 */
export function guardGroup(pid: number, cleanUp?: () => void): GuardedGroup {
  if (groups.size === 0) process.on("exit", killAll);
  readyGuard();
  groups.set(pid, cleanUp);
  guard?.stdin?.write(`+ ${pid}\n`);
  return {
    release: () => {
      if (!groups.delete(pid)) return;
      guard?.stdin?.write(`- ${pid}\n`);
      if (groups.size === 0) process.off("exit", killAll);
    },
  };
}

/** Starts the guard, where it does not run yet. Called before a group is started, so that the group is told of at once. */
export function readyGuard(): void {
  if (guard !== undefined && guard.exitCode === null && guard.signalCode === null && guard.stdin?.writable === true)
    return;
  guard = startGuard();
  for (const pid of groups.keys()) guard.stdin?.write(`+ ${pid}\n`);
}

function killAll(): void {
  for (const [pid, cleanUp] of groups) {
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      // It has ended.
    }
    try {
      cleanUp?.();
    } catch {
      // Nobody is left to be told.
    }
  }
}

function startGuard(): ChildProcess {
  const child = spawn("/bin/sh", ["-c", guardScript], {
    // Its own session: what ends the host's group (Ctrl-C) does not end the guard before its work is done.
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
    cwd: "/",
    env: { PATH: "/usr/bin:/bin" },
  });
  // Without a guard, exit handlers still kill; only a SIGKILL of the host would leave processes behind.
  child.on("error", () => {});
  child.stdin.on("error", () => {});
  child.unref();
  (child.stdin as unknown as { unref?(): void }).unref?.();
  return child;
}
