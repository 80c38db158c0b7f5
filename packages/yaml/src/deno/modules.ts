import { execFile } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { denoBinary } from "./deno-binary.ts";
import { DenoError } from "./deno-error.ts";

/** How long fetching may take, all modules of a step together. */
const fetchTimeoutMs = 120_000;

/**
 * Whether a host allows a module. An entry is a whole specifier, one of npm without a version (`npm:ms` allows `npm:ms@2` and
 * `npm:ms/sub`), or a beginning with `*` at its end (`https://esm.sh/*`).
 */
export function isAllowedModule(specifier: string, allowed: readonly string[]): boolean {
  return allowed.some((entry) => {
    if (entry.endsWith("*")) return specifier.startsWith(entry.slice(0, -1));
    return (
      specifier === entry ||
      (/^(npm|jsr):/.test(entry) && /^[@/]/.test(specifier.slice(entry.length)) && specifier.startsWith(entry))
    );
  });
}

/** Whether a script that lists `modules` may import a specifier. */
export function isListedModule(specifier: string, modules: readonly string[]): boolean {
  return modules.some((listed) => specifier === listed || specifier.startsWith(`${listed}/`));
}

/** What is wrong with an entry of `modules`; undefined for one that can be fetched. */
export function moduleProblem(specifier: string): string | undefined {
  if (/[\s,\0]/.test(specifier) || specifier.startsWith("-")) return "is no module specifier";
  return /^(npm|jsr):[^/]|^https?:\/\/[^/]/.test(specifier)
    ? undefined
    : "is fetched from nowhere: write `npm:name@version`, `jsr:@scope/name` or an https: URL";
}

/** The hosts whose modules may be imported, as `--allow-import` takes them. */
export function importHosts(modules: readonly string[]): readonly string[] {
  const hosts = modules.flatMap((specifier) => {
    if (specifier.startsWith("jsr:")) return ["jsr.io"];
    return /^https?:/.test(specifier) && URL.canParse(specifier) ? [new URL(specifier).host] : [];
  });
  return [...new Set(hosts)];
}

/**
 * Fetches modules, and all that they import, into a folder that scripts can use without a network; gives that folder.
 *
 * Runs in Deno, outside of any sandbox and without running any of the modules. What was fetched once is not fetched again: delete
 * the folder for that. Throws `DENO_MODULES`.
 */
export async function fetchModules(modules: readonly string[], root: string = defaultRoot()): Promise<string> {
  const list = [...new Set(modules)].toSorted();
  const binary = denoBinary();
  const key = createHash("sha256")
    .update(JSON.stringify([1, list]))
    .digest("hex")
    .slice(0, 32);
  const folder = join(root, key);
  if (existsSync(join(folder, "location_data"))) return folder;
  await mkdir(root, { recursive: true, mode: 0o700 });
  const temporary = join(root, `.${key}-${randomBytes(6).toString("hex")}`);
  await mkdir(temporary, { mode: 0o700 });
  try {
    const hosts = importHosts(list);
    await promisify(execFile)(
      binary,
      [
        "cache",
        "--quiet",
        "--no-config",
        "--no-lock",
        ...(hosts.length === 0 ? ["--deny-import"] : [`--allow-import=${hosts.join(",")}`]),
        ...list,
      ],
      {
        cwd: temporary,
        env: {
          ...process.env,
          DENO_DIR: temporary,
          DENO_NO_UPDATE_CHECK: "1",
          DENO_NO_PACKAGE_JSON: "1",
          NO_COLOR: "1",
        },
        timeout: fetchTimeoutMs,
        killSignal: "SIGKILL",
        maxBuffer: 4 * 1024 * 1024,
      },
    );
    // localStorage and the Cache API would make a folder of this name, and keep in it what a script gives them: a file is in the way.
    await writeFile(join(temporary, "location_data"), "");
    await rename(temporary, folder).catch((error: unknown) => {
      // Another process was quicker: its folder is as good.
      if (!existsSync(join(folder, "location_data"))) throw error;
    });
    return folder;
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    const told = (stderr ?? "").trim().split("\n").slice(-5).join("\n");
    throw new DenoError(
      "DENO_MODULES",
      `the modules ${list.map((each) => `\`${each}\``).join(", ")} could not be fetched: check their names, and that this machine reaches them${told === "" ? "" : `\n${told}`}`,
      { cause: error },
    );
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

function defaultRoot(): string {
  return join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "wfe", "deno-modules");
}
