import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { expect, it } from "vitest";
import { pause, until } from "../processes/support/until.ts";
import { type Acknowledged, auditOf } from "./audit.ts";
import { type Attempt, kindNames, mixOf, ticked } from "./mix.ts";
import { randomOf } from "./random.ts";
import { CrashStore } from "./stores/crash-store.ts";
import { sqliteKind } from "./stores/sqlite-kind.ts";

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A disk of its own and of this size; undefined where this user may not make one. */
function smallDisk(megabytes: number): ({ readonly directory: string } & Disposable) | undefined {
  const directory = mkdtempSync(join(tmpdir(), "wfe-disk-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", directory], { stdio: "ignore" });
  } catch {
    rmSync(directory, { recursive: true });
    return undefined;
  }
  return {
    directory,
    [Symbol.dispose]: () => {
      execFileSync("umount", [directory]);
      rmSync(directory, { recursive: true });
    },
  };
}

/** Writes to a file until there is no room for another byte. */
function fill(file: string): void {
  const descriptor = openSync(file, "a");
  for (const size of [65_536, 4096, 1]) {
    try {
      for (;;) writeSync(descriptor, Buffer.alloc(size));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
    }
  }
  closeSync(descriptor);
}

/** Where no disk can be mounted, the same is shown by a database that may not grow: tests/bad-input/store-files.test.ts. */
const disk = smallDisk(1);
disk?.[Symbol.dispose]();

it.skipIf(disk === undefined)(
  "loses nothing when the disk is full in the middle of work, and goes on when there is room",
  async () => {
    using disk = smallDisk(8)!;
    const directory = join(disk.directory, "store");
    mkdirSync(directory);
    const file = await sqliteKind.create(directory);
    await using store = await CrashStore.at(`sqlite:${file}`, directory);
    const random = randomOf(1);
    // What bodies note finds no room on this disk either: it is kept elsewhere until there is some.
    const attempts: Attempt[] = [];
    const kinds = mixOf({
      store: store.spec,
      noted: (attempt) => attempts.push(attempt),
      publish: (name, key, payload, id) => host.publishEvent(name, key, payload, { id }),
    });
    const workflows = [...kindNames, "child"].map((name) => kinds[name]!.definition);
    const host = new WorkflowHost({ providers: [sqlite(file)], workflows, lease: "1s", log: silent });
    await host.start();
    const starts: Acknowledged[] = [];
    const startSome = (prefix: string): Promise<unknown> =>
      Promise.all(
        kindNames.map(async (name) => {
          const kind = kinds[name]!;
          const start = { id: `${name}-${prefix}`, kind, data: kind.data(random) };
          await host.startWorkflow(kind.definition, start.data, { id: start.id });
          starts.push(start);
          for (let n = 1; n <= (kind.events?.(start.data) ?? 0); n += 1) {
            await host.publishEvent(ticked, start.id, { n }, { id: `${start.id}-${n}` });
          }
        }),
      );

    await startSome("before");
    fill(join(disk.directory, "filling"));
    const before = starts.length;
    const late = startSome("meanwhile");
    // Longer than the lease, which cannot be renewed.
    await until({ what: "the lease is lost" }, async () => (await host.health()).lease !== "alive");
    await pause(500);
    expect(starts.length).toBe(before);

    rmSync(join(disk.directory, "filling"));
    await late;
    await startSome("after");
    const unfinished = { status: ["runnable", "waiting", "suspended"] as const };
    await until(
      { what: "all have ended", withinMs: 30_000 },
      async () => (await host.countWorkflows(unfinished)) === 0,
    );
    await host.stop();
    writeFileSync(store.path("attempts.log"), attempts.map((attempt) => `${JSON.stringify(attempt)}\n`).join(""));

    await using reader = new WorkflowHost({ providers: [sqlite(file)], workflows, log: silent });
    const { lost, doubled, stuck, damaged } = await auditOf(store, reader, starts);
    expect(starts.length).toBe(3 * kindNames.length);
    expect({ lost, doubled, stuck, damaged }).toEqual({ lost: [], doubled: [], stuck: [], damaged: [] });
  },
  90_000,
);
