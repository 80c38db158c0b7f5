import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { randomUUID } from "node:crypto";
import type { StepOutput } from "../compile/outputs.ts";

/** Where results of steps with `cache` are kept. Losing an entry costs a run, nothing else. */
export interface StepCache {
  /** The result under a key that is still good at `now`, or undefined. */
  get(key: string, now: number): Promise<StepOutput | undefined>;
  /** Keeps a result until `expiresAt`. */
  set(key: string, output: StepOutput, expiresAt: number): Promise<void>;
}

interface Entry {
  readonly expiresAt: number;
  readonly output: StepOutput;
}

/** Keeps results in this process: the newest `mostEntries`, 1000 by default. */
export function memoryCache(mostEntries = 1000): StepCache {
  const entries = new Map<string, Entry>();
  return {
    get: async (key, now) => {
      const entry = entries.get(key);
      if (entry === undefined || entry.expiresAt <= now) return undefined;
      return entry.output;
    },
    set: async (key, output, expiresAt) => {
      entries.delete(key);
      entries.set(key, { output, expiresAt });
      const oldest = entries.keys().next();
      if (entries.size > mostEntries && oldest.done !== true) entries.delete(oldest.value);
    },
  };
}

const mostFiles = 10_000;

/**
 * Keeps results in a folder, one file each, for all processes of this machine. Only what JSON can hold is kept; a file that
 * cannot be read counts as none. The oldest go when there are more than 10,000.
 */
export function fileCache(folder: string): StepCache {
  const fileOf = (key: string): string => join(folder, `${createHash("sha256").update(key).digest("hex")}.json`);
  let written = 0;
  return {
    async get(key, now) {
      try {
        const entry = JSON.parse(await readFile(fileOf(key), "utf8")) as Entry & { key: string };
        return entry.key === key && entry.expiresAt > now ? entry.output : undefined;
      } catch {
        return undefined;
      }
    },
    async set(key, output, expiresAt) {
      if (hasMore(output)) return;
      const text = JSON.stringify({ key, expiresAt, output });
      await mkdir(folder, { recursive: true });
      const file = fileOf(key);
      // Another process may write the same result: each file is whole at any time.
      const draft = `${file}.${randomUUID()}`;
      await writeFile(draft, text);
      await rename(draft, file);
      if (written++ % 100 === 0) await trim(folder);
    },
  };
}

/** Whether a value has parts that JSON would change. */
function hasMore(value: unknown): boolean {
  if (typeof value === "bigint" || value === undefined) return true;
  if (typeof value === "number") return !Number.isFinite(value) || Object.is(value, -0);
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasMore);
  const prototype: unknown = Object.getPrototypeOf(value);
  return (prototype !== Object.prototype && prototype !== null) || Object.values(value).some(hasMore);
}

async function trim(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => /^[0-9a-f]{64}\.json/.test(name));
  if (names.length <= mostFiles) return;
  const files = await Promise.all(
    names.map(async (name) => ({
      name,
      at: await stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    })),
  );
  for (const { name } of files.toSorted((a, b) => a.at - b.at).slice(0, names.length - mostFiles)) {
    await rm(join(folder, name), { force: true });
  }
}
