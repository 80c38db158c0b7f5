import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock, Provider } from "@wfe/core/providers";
import { memory } from "@wfe/core/testing";
import { sqlite } from "@wfe/sqlite";

/** One store, empty when it is opened, that any number of hosts share. */
export interface TestStore {
  /** What one more host gets: connections of its own, where the store has connections. */
  connect(): readonly Provider[];
  /** Deletes what is stored. Every host has let go of it before. */
  remove(): void | Promise<void>;
}

/** A kind of store. The suites run on each. */
export interface StoreKind {
  readonly name: string;
  open(clock: Clock): TestStore;
}

/** In this process. */
export const inMemory: StoreKind = {
  name: "memory",
  open(clock) {
    const shared = memory({ clock });
    return { connect: () => [shared], remove: () => {} };
  },
};

/** In a file of its own. */
export const inSqlite: StoreKind = {
  name: "sqlite",
  open() {
    const directory = mkdtempSync(join(tmpdir(), "wfe-scenario-"));
    return {
      connect: () => [sqlite(join(directory, "workflows.db"))],
      remove: () => rmSync(directory, { recursive: true, force: true }),
    };
  },
};
