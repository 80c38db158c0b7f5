import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Kept between runs, and gone with a fresh checkout. */
const cache = fileURLToPath(new URL("../../node_modules/.cache/wfe-services", import.meta.url));
const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** A program that runs without being installed. */
export interface UnpackedProgram {
  readonly file: string;
  /** What it needs in its environment, so that it finds the libraries that came with it. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Debian's package `name` (the release's own, or of its backports) with what it needs beyond what is installed, fetched from the
 * mirror that this machine uses and unpacked into the cache. Needs no root, and leaves the system as it is. `program` is the path of
 * what is wanted, such as `usr/bin/valkey-server`.
 *
 * Throws where that cannot be done, and says why.
 */
export async function debianProgram(name: string, program: string): Promise<UnpackedProgram> {
  const tree = join(cache, name);
  if (!existsSync(join(tree, program))) await fetchInto(tree, name);
  return { file: join(tree, program), env: { LD_LIBRARY_PATH: librariesOf(tree).join(":") } };
}

async function fetchInto(tree: string, name: string): Promise<void> {
  mkdirSync(cache, { recursive: true });
  // Beside its destination: a rename does not cross file systems.
  const scratch = mkdtempSync(join(cache, ".fetch-"));
  try {
    const apt = await privateApt(scratch, name);
    await apt("update");
    const { stdout } = await apt("--simulate", "--no-install-recommends", "install", name);
    const packages = [...stdout.matchAll(/^Inst (\S+)/gmu)].map(([, each]) => each ?? "");
    if (packages.length === 0) throw new Error(`apt knows no package ${name}`);
    const archives = join(scratch, "packages");
    await apt("download", ...packages);
    for (const archive of readdirSync(archives)) {
      if (archive.endsWith(".deb")) await run("dpkg-deb", ["-x", join(archives, archive), join(scratch, "tree")]);
    }
    // Another test process may have been quicker: what is there then is the same.
    if (!existsSync(tree)) renameOrKeep(join(scratch, "tree"), tree);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Gives a function that calls apt-get with folders of our own, so that neither root nor the machine's own lists are needed. */
async function privateApt(
  scratch: string,
  name: string,
): Promise<(...args: string[]) => Promise<{ readonly stdout: string }>> {
  const codename = /^VERSION_CODENAME=(\S+)$/mu.exec(readFileSync("/etc/os-release", "utf8"))?.[1];
  const format = "$(REPO_URI) $(RELEASE)";
  const { stdout } = await run("apt-get", [
    "--no-release-info",
    "indextargets",
    "--format",
    format,
    "Created-By: Packages",
  ]);
  const mirrors = new Map(stdout.split("\n").map((line) => line.split(" ", 2).toReversed() as [string, string]));
  const mirror = codename === undefined ? undefined : mirrors.get(codename);
  if (mirror === undefined || !existsSync(keyring)) throw new Error("this is not a Debian with sources for apt");

  const suites = [`${codename}`, `${codename}-updates`, `${codename}-backports`];
  const sources = [sourceOf(mirror, suites)];
  const security = mirrors.get(`${codename}-security`);
  if (security !== undefined) sources.push(sourceOf(security, [`${codename}-security`]));
  writeFileSync(join(scratch, "apt.sources"), sources.join("\n"));
  // As if the package were not installed, or apt would see nothing to fetch.
  const installed = readFileSync("/var/lib/dpkg/status", "utf8").split("\n\n");
  const others = installed.filter((each) => !each.startsWith(`Package: ${name.replace(/-server$/u, "")}`));
  writeFileSync(join(scratch, "status"), others.join("\n\n"));
  for (const folder of ["lists/partial", "archives/partial", "packages", "tree"]) {
    mkdirSync(join(scratch, folder), { recursive: true });
  }
  const options = {
    "Dir::State::status": join(scratch, "status"),
    "Dir::Etc::SourceList": join(scratch, "apt.sources"),
    "Dir::Etc::SourceParts": "/dev/null",
    "Dir::State::lists": join(scratch, "lists"),
    "Dir::Cache": scratch,
    "Dir::Cache::archives": join(scratch, "archives"),
    "Debug::NoLocking": "1",
    "Acquire::Languages": "none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    // Under root, apt would download as a user who cannot enter our folders.
    "APT::Sandbox::User": "",
  };
  const fixed = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  return async (...args) => {
    try {
      return await run("apt-get", ["-qq", ...fixed, ...args], { cwd: join(scratch, "packages"), timeout: 120_000 });
    } catch (error) {
      const { stderr = "" } = error as { readonly stderr?: string };
      throw new Error(`apt-get ${args[0]} failed: ${stderr.trim().split("\n").at(-1)}`, { cause: error });
    }
  };
}

function sourceOf(mirror: string, suites: readonly string[]): string {
  return `Types: deb\nURIs: ${mirror}\nSuites: ${suites.join(" ")}\nComponents: main\nSigned-By: ${keyring}\n`;
}

function librariesOf(tree: string): readonly string[] {
  const files = readdirSync(join(tree, "usr"), { recursive: true, withFileTypes: true });
  return [...new Set(files.filter(({ name }) => /\.so(\.|$)/u.test(name)).map(({ parentPath }) => parentPath))];
}

function renameOrKeep(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    const { code } = error as { readonly code?: string };
    if (code === "ENOTEMPTY" || code === "EEXIST") return;
    throw error;
  }
}
