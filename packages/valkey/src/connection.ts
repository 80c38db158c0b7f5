import { StoreError } from "@wfe/core/providers";
import { valkeyError } from "./errors.ts";
import { type Keys, keysOf } from "./keys.ts";
import { Listeners } from "./listeners.ts";
import { type Argument, runScript, type Script, script } from "./script.ts";
import type { Client, RetryStrategy, Target } from "./target.ts";

const firstDelayMs = 50;
const longestDelayMs = 3_000;
/** Scripts that write may ask for the time since Redis 5; this is the oldest line that anyone still repairs. */
const oldestVersion = [6, 2] as const;

/**
 * Two connections to the server, one for commands and one that listens, which come back by themselves when they are lost. What is
 * asked while there is none is refused at once.
 */
export class Connection {
  readonly keys: Keys;
  /** What others have published, by channel. */
  readonly messages: Listeners<{ readonly channel: string; readonly message: Buffer }> = new Listeners();
  /** The listening connection is there again: something may have been missed. */
  readonly returned: Listeners<void> = new Listeners();
  readonly #target: Target;
  readonly #random: () => number;
  readonly #channels: Set<string>;
  #commands: Client | undefined;
  #listener: Client | undefined;

  constructor(target: Target, store: string | undefined, random: () => number) {
    this.#target = target;
    this.#random = random;
    this.keys = keysOf(target.prefix, store);
    this.#channels = new Set([this.keys.notes]);
  }

  /** Connects, and tries whether the server can do what will be asked of it. Rejects with an error that says what to do. */
  async open(): Promise<void> {
    let isOpen = false;
    const retry: RetryStrategy = (times) => (isOpen ? this.#delayMs(times) : null);
    const [commands, listener] = [this.#target.connect(retry), this.#target.connect(retry)];
    const errors: unknown[] = [];
    for (const client of [commands, listener]) client.on("error", (error: unknown) => void errors.push(error));
    try {
      await Promise.all([commands.connect(), listener.connect()]);
      this.#commands = commands;
      await this.#check(commands);
      await listener.subscribe(...this.#channels);
    } catch (error) {
      this.#commands = undefined;
      for (const client of [commands, listener]) client.disconnect();
      // What the connection ended with says less than what was told before.
      throw valkeyError(errors[0] ?? error, this.#target.name);
    }
    isOpen = true;
    for (const client of [commands, listener]) {
      client.removeAllListeners("error");
      // Whoever asks is told; nobody else needs to be.
      client.on("error", () => {});
    }
    this.#listener = listener;
    listener.on("messageBuffer", (channel: Buffer, message: Buffer) =>
      this.messages.tell({ channel: channel.toString(), message }),
    );
    listener.on("ready", () => {
      this.#subscribe([...this.#channels]);
      this.returned.tell();
    });
  }

  close(): void {
    for (const client of [this.#commands, this.#listener]) client?.disconnect();
    this.#commands = undefined;
    this.#listener = undefined;
  }

  /** Runs a script. Rejects with a `StoreError`, at the latest after `patienceMs`, where that is less than any command has. */
  async run(code: Script, keys: readonly string[], args: readonly Argument[], patienceMs?: number): Promise<unknown> {
    const client = this.#open();
    try {
      const answer = runScript(client, code, keys, args);
      return await (patienceMs === undefined ? answer : within(patienceMs, answer));
    } catch (error) {
      throw valkeyError(error, this.#target.name);
    }
  }

  async hmget(key: string, fields: readonly string[]): Promise<readonly (string | null)[]> {
    const client = this.#open();
    try {
      return await client.hmget(key, ...fields);
    } catch (error) {
      throw valkeyError(error, this.#target.name);
    }
  }

  async ping(): Promise<void> {
    const client = this.#open();
    try {
      await client.ping();
    } catch (error) {
      throw valkeyError(error, this.#target.name);
    }
  }

  /** Hears a channel from now on; where the connection is lost, as soon as it is there again. */
  hear(channel: string): void {
    this.#channels.add(channel);
    this.#subscribe([channel]);
  }

  leave(channel: string): void {
    this.#channels.delete(channel);
    this.#listener?.unsubscribe(channel).catch(() => {
      // What comes all the same is not listened to.
    });
  }

  #subscribe(channels: readonly string[]): void {
    this.#listener?.subscribe(...channels).catch(() => {
      // Again when the connection is there again.
    });
  }

  #open(): Client {
    if (this.#commands !== undefined) return this.#commands;
    throw new StoreError(
      "STORE_CLOSED",
      `Valkey at ${this.#target.name} is not open: start the host that uses it, or call \`open\``,
      { outcome: "not-applied", transient: false },
    );
  }

  /** Longer each time, and not the same for everyone who has lost the same server. */
  #delayMs(times: number): number {
    return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(times, 8)) * (0.5 + this.#random() / 2);
  }

  async #check(client: Client): Promise<void> {
    const { name } = this.#target;
    const version = await versionOf(client);
    if (version !== undefined && isOlder(version)) {
      throw new StoreError(
        "STORE_TOO_OLD",
        `Valkey at ${name}: it is Redis ${version}, and ${oldestVersion.join(".")} is needed: upgrade the server`,
        { outcome: "not-applied", transient: false },
      );
    }
    // On a replica that takes writes they are lost without a word.
    if ((await roleOf(client)) === "slave") throw new Error("it is a replica");
    await runScript(client, probe, [this.keys.probe], [""]);
  }
}

const probe = script("redis.call('SET', KEYS[1], now, 'PX', 1000)");

async function within<Answer>(ms: number, answer: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    // Where it was this process that was slow, the answer may be there and not be read yet.
    timer = setTimeout(() => setImmediate(() => reject(new Error("Command timed out"))), ms);
    timer.unref();
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Undefined where the user may not ask. */
async function versionOf(client: Client): Promise<string | undefined> {
  const info = await allowed(client.info("server"));
  return info === undefined ? undefined : /^redis_version:(\S+)/mu.exec(info)?.[1];
}

async function roleOf(client: Client): Promise<unknown> {
  const isCluster = "nodes" in client;
  // Of a cluster, every node was asked for its role already.
  return isCluster ? undefined : (await allowed(client.role()))?.[0];
}

async function allowed<Answer>(asked: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("NOPERM")) return undefined;
    throw error;
  }
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < oldestVersion[0] || (major === oldestVersion[0] && minor < oldestVersion[1]);
}
