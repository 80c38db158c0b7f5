import { lstat, opendir, realpath, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, basename, join, relative, resolve, sep } from "node:path";
import { DenoError } from "./deno-error.ts";

/** Entries of a granted folder that are looked at; a larger one is refused. */
const maxEntries = 50_000;
/** Files there are doors to the kernel and to other processes. */
const closed = ["/proc", "/sys", "/dev"];

/** What a script may read or write, and the roots that the host allows for it. */
export interface PathGrantOptions {
  readonly paths: readonly string[];
  /** Where relative paths start from. */
  readonly folder: string;
  /** Every granted path must lie in one of these; undefined: anywhere. */
  readonly roots: readonly string[] | undefined;
  readonly mode: "read" | "write";
}

/**
 * The real paths of what is granted.
 *
 * Deno follows symlinks inside of a granted folder, wherever they lead. So each path is resolved, and refused with `DENO_GRANT` where it or any
 * link in it leads out of it, where it is the root of the file system, holds other steps' temporary files, or belongs to
 * the kernel.
 */
export async function grantedPaths(options: PathGrantOptions): Promise<readonly string[]> {
  const roots =
    options.roots === undefined ? undefined : await Promise.all(options.roots.map((root) => realpath(root)));
  const temporary = await realpath(tmpdir());
  const real: string[] = [];
  for (const path of options.paths) real.push(await granted(path, options, roots, temporary));
  return [...new Set(real)];
}

async function granted(
  path: string,
  { folder, mode }: PathGrantOptions,
  roots: readonly string[] | undefined,
  temporary: string,
): Promise<string> {
  const refuse = (why: string): DenoError => new DenoError("DENO_GRANT", `\`${mode}: ${path}\` is not granted: ${why}`);
  const real = await realOf(resolve(folder, path), mode, refuse);
  if (real.includes(",") || /[\0\n]/.test(real))
    throw refuse("its path has a comma or newline, which Deno's flags cannot carry");
  if (isWithin(temporary, real)) throw refuse("it holds the temporary files of other steps: grant a folder below");
  if (closed.some((root) => isWithin(real, root))) throw refuse("it belongs to the kernel");
  if (roots !== undefined && !roots.some((root) => isWithin(real, root))) {
    throw refuse(`the host grants paths in ${roots.map((root) => `\`${root}\``).join(", ")} only`);
  }
  const info = await stat(real).catch(() => undefined);
  if (info?.isDirectory() === true) await checkLinks(real, refuse);
  else if (info !== undefined && !info.isFile()) throw refuse("it is neither a file nor a folder");
  return real;
}

/** Whether a path is another, or lies in it. */
export function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !way.startsWith(sep));
}

async function realOf(path: string, mode: "read" | "write", refuse: (why: string) => DenoError): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    // What is to be written need not be there, but its folder must, and it must be no link to nowhere.
    const isLink = await lstat(path).then(
      () => true,
      () => false,
    );
    if (mode === "read" || isLink) throw refuse("it does not exist: create it in an earlier step");
    try {
      return join(await realpath(dirname(path)), basename(path));
    } catch {
      throw refuse("its folder does not exist: create it in an earlier step");
    }
  }
}

async function checkLinks(root: string, refuse: (why: string) => DenoError): Promise<void> {
  const folders = [root];
  let entries = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const list = await opendir(folder).catch((error: unknown) => {
      // A folder that the host may not read is none the script can.
      if ((error as NodeJS.ErrnoException).code === "EACCES") return undefined;
      throw error;
    });
    if (list === undefined) continue;
    for await (const entry of list) {
      if (++entries > maxEntries)
        throw refuse(`it has more than ${maxEntries} files, too many to look for links: grant a smaller folder`);
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isSymbolicLink()) {
        const target = await realpath(path).catch(() => undefined);
        if (target === undefined || !isWithin(target, root)) {
          throw refuse(
            `the link \`${path}\` in it leads out of it, or nowhere: remove the link, or grant a folder without it`,
          );
        }
      }
    }
  }
}
