import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Found, lookFor } from "./service.ts";
import { freePort, ServerProcess, temporaryFolder } from "./server-process.ts";

const run = promisify(execFile);

const version = "2.19.6";
const log4jVersion = "2.25.4";
/** Java classes of OpenSearch 2 are for this one and later. */
const oldestJava = 11;
const heap = "512m";

const source = fileURLToPath(new URL("opensearch/SearchNode.java", import.meta.url));
/** Kept between runs, and gone with a fresh checkout. */
const cache = fileURLToPath(new URL("../../node_modules/.cache/wfe-services", import.meta.url));
const home = join(cache, `opensearch-${version}`);

/** Starts servers. */
export interface OpenSearchService {
  /** A node of the caller's own, empty. */
  start(): Promise<OpenSearchServer>;
}

/** A JDK, and what it runs OpenSearch with. */
interface Programs {
  readonly java: string;
  readonly classPath: string;
  /** Loaded classes of an earlier run, which make a start twice as fast. */
  readonly archive: string;
}

/** One node with a folder of its own. */
export class OpenSearchServer implements AsyncDisposable {
  readonly port: number;
  readonly #programs: Programs;
  readonly #folder = temporaryFolder("opensearch");
  #process: ServerProcess | undefined;

  constructor(programs: Programs, port: number) {
    this.#programs = programs;
    this.port = port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Starts it, also again after `stop`: with what it had, on the same port. */
  async start(options: readonly string[] = sharedClasses(this.#programs)): Promise<void> {
    if (this.#process !== undefined) return;
    this.#process = await ServerProcess.start({
      name: "the OpenSearch node",
      file: this.#programs.java,
      args: [
        `-Xms${heap}`,
        `-Xmx${heap}`,
        // For a node that lives for seconds: little to optimise, and no threads for it.
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Djava.awt.headless=true",
        ...options,
        "-cp",
        this.#programs.classPath,
        "SearchNode",
        this.#folder.path,
        String(this.port),
      ],
      env: { LOG4J_LEVEL: "ERROR" },
      port: this.port,
      directory: this.#folder.path,
    });
    await this.#answers();
  }

  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.end(signal);
  }

  /** The node answers nothing until `thaw`, and its connections stay open. */
  freeze(): void {
    this.#process?.kill("SIGSTOP");
  }

  thaw(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Asks the node past the provider. */
  async request(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
    });
    const text = await answer.text();
    return text === "" ? undefined : JSON.parse(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("SIGKILL");
    this.#folder.remove();
  }

  async #answers(): Promise<void> {
    for (let tries = 0; ; tries += 1) {
      try {
        await this.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=30s");
        return;
      } catch (error) {
        if (tries === 100) throw error;
      }
      await pause(50);
    }
  }
}

/**
 * A real OpenSearch for tests, from the jars of Maven Central: needs a JDK, and Maven the first time. See `lookFor` for what happens
 * where that cannot be had.
 */
export function findOpenSearch(): Promise<Found<OpenSearchService>> {
  return lookFor("OpenSearch", async () => {
    const programs = await prepare();
    return {
      start: async () => {
        const server = new OpenSearchServer(programs, await freePort());
        await server.start();
        return server;
      },
    };
  });
}

async function prepare(): Promise<Programs> {
  const jdk = await findJdk();
  const lib = join(home, "lib");
  const classes = join(home, "classes");
  const programs = {
    java: join(jdk.bin, "java"),
    classPath: `${classes}${delimiter}${join(lib, "*")}`,
    archive: join(home, `classes-of-java-${jdk.version}.jsa`),
  };
  const ready = (): boolean =>
    existsSync(lib) && isNewer(join(classes, "SearchNode.class"), source) && existsSync(programs.archive);
  if (ready()) return programs;
  await alone(async () => {
    if (ready()) return;
    if (!existsSync(lib)) await fetchJars(lib, jdk);
    if (!isNewer(join(classes, "SearchNode.class"), source)) {
      rmSync(programs.archive, { force: true });
      await run(join(jdk.bin, "javac"), ["-nowarn", "-proc:none", "-d", classes, "-cp", join(lib, "*"), source]);
    }
    if (!existsSync(programs.archive)) await archiveClasses(programs);
  });
  return programs;
}

interface Jdk {
  readonly bin: string;
  readonly version: string;
}

/** The one that `JAVA_HOME` names, or the first on the PATH or in /usr/lib/jvm that is new enough and has a compiler. */
async function findJdk(): Promise<Jdk> {
  const folder = "/usr/lib/jvm";
  const homes = [
    process.env["JAVA_HOME"],
    ...(process.env["PATH"] ?? "").split(delimiter).map((bin) => dirname(bin)),
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ];
  for (const each of homes) {
    if (each === undefined || each === "" || !existsSync(join(each, "bin", "javac"))) continue;
    const bin = join(each, "bin");
    const { stderr } = await run(join(bin, "java"), ["-version"]);
    const found = /version "((?:1\.)?(\d+)[^"]*)"/u.exec(stderr);
    if (found !== null && Number(found[2]) >= oldestJava) return { bin, version: found[1] ?? "" };
  }
  throw new Error(`there is no JDK ${oldestJava} or later. On Debian: apt-get install openjdk-17-jdk-headless maven`);
}

async function fetchJars(lib: string, jdk: Jdk): Promise<void> {
  const scratch = mkdtempSync(join(home, ".fetch-"));
  try {
    writeFileSync(join(scratch, "pom.xml"), pom());
    console.warn(`fetching OpenSearch ${version} from Maven Central (60 MB, once)`);
    await run(
      "mvn",
      [
        "--batch-mode",
        "--quiet",
        "--strict-checksums",
        "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies",
        `-DoutputDirectory=${join(scratch, "lib")}`,
        "-DincludeScope=runtime",
      ],
      { cwd: scratch, timeout: 600_000, env: { ...process.env, JAVA_HOME: dirname(jdk.bin) } },
    );
    renameSync(join(scratch, "lib"), lib);
  } catch (error) {
    const { code, stdout = "" } = error as { readonly code?: unknown; readonly stdout?: string };
    const why = code === "ENOENT" ? "mvn is not here (on Debian: apt-get install maven)" : stdout.trim().split("\n")[0];
    throw new Error(`the jars could not be fetched: ${why}`, { cause: error });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function pom(): string {
  const jars = [
    ["org.opensearch", "opensearch", version],
    ["org.opensearch.plugin", "transport-netty4-client", version],
    // The server does not start without, and calls it optional.
    ["org.apache.logging.log4j", "log4j-core", log4jVersion],
    ["org.apache.logging.log4j", "log4j-api", log4jVersion],
  ];
  const dependencies = jars.map(
    ([group, artifact, number]) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${number}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>wfe</groupId><artifactId>tests</artifactId><version>1</version><packaging>pom</packaging>
<dependencies>${dependencies.join("\n")}</dependencies></project>`;
}

/** One start on trial, whose loaded classes later ones share. */
async function archiveClasses(programs: Programs): Promise<void> {
  const fresh = `${programs.archive}.${process.pid}`;
  const server = new OpenSearchServer(programs, await freePort());
  try {
    await server.start([`-XX:ArchiveClassesAtExit=${fresh}`, "-Xlog:disable"]);
    await server.stop();
  } finally {
    await server[Symbol.asyncDispose]();
  }
  if (existsSync(fresh)) renameSync(fresh, programs.archive);
  // A JDK that makes none: an empty one is there, and not used.
  else writeFileSync(programs.archive, "");
}

function sharedClasses({ archive }: Programs): readonly string[] {
  return existsSync(archive) && statSync(archive).size > 0
    ? [`-XX:SharedArchiveFile=${archive}`, "-Xshare:auto", "-Xlog:disable"]
    : [];
}

function isNewer(file: string, than: string): boolean {
  return existsSync(file) && statSync(file).mtimeMs >= statSync(than).mtimeMs;
}

/** Of several test processes one prepares, and the others wait for it. One that was killed at it is not waited for longer than ten minutes. */
async function alone(work: () => Promise<void>): Promise<void> {
  mkdirSync(home, { recursive: true });
  const lock = join(home, ".preparing");
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()) > 600_000)
      rmSync(lock, { recursive: true, force: true });
    await pause(200);
  }
  try {
    await work();
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}
