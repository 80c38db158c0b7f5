import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileCache, memoryCache } from "@wfe/yaml";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "wfe-cache-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe("a cache in a folder", () => {
  it("keeps results for other processes, until they expire", async () => {
    await fileCache(folder).set("k", { outputs: { a: [1, null, "x"] }, data: { "s.stdout": "y" } }, 100);
    const other = fileCache(folder);
    expect(await other.get("k", 99)).toEqual({ outputs: { a: [1, null, "x"] }, data: { "s.stdout": "y" } });
    expect(await other.get("k", 100)).toBeUndefined();
    expect(await other.get("other", 0)).toBeUndefined();
  });

  it("takes what cannot be read for nothing, and keeps only what JSON gives back as it was", async () => {
    const cache = fileCache(folder);
    await cache.set("k", { outputs: { a: 1 } }, 100);
    const [name = ""] = await readdir(folder);
    await writeFile(join(folder, name), "{");
    expect(await cache.get("k", 0)).toBeUndefined();
    for (const value of [new Date(0), 1n, Number.NaN, new Map(), { deep: [undefined] }]) {
      await cache.set("v", { outputs: { value } }, 100);
      expect(await cache.get("v", 0)).toBeUndefined();
    }
  });
});

it("a cache in the process forgets the oldest when it is full, and what has expired", async () => {
  const cache = memoryCache(2);
  for (const key of ["a", "b", "c"]) await cache.set(key, { outputs: { key } }, 100);
  expect([await cache.get("a", 0), (await cache.get("b", 0))?.outputs, await cache.get("c", 100)]).toEqual([
    undefined,
    { key: "b" },
    undefined,
  ]);
});
