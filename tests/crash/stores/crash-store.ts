import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Provider } from "@wfe/core/providers";
import { postgresKind } from "./postgres-kind.ts";
import { sqliteKind } from "./sqlite-kind.ts";
import type { AroundEffect, EffectStep, OpenStore, StoreKind } from "./store-kind.ts";
import { withValkey } from "./valkey-kind.ts";

export type StoreName = "sqlite" | "postgres" | "sqlite+valkey" | "postgres+valkey";

const kinds: Readonly<Record<StoreName, StoreKind>> = {
  sqlite: sqliteKind,
  postgres: postgresKind,
  "sqlite+valkey": withValkey(sqliteKind),
  "postgres+valkey": withValkey(postgresKind),
};

/** How a process reaches a store: `sqlite:/tmp/x/app.db`. */
export type StoreSpec = `${StoreName}:${string}`;

/** The store, then what stands beside it. */
export function providersOf(spec: StoreSpec): readonly [Provider, ...Provider[]] {
  const { kind, address } = parse(spec);
  return [kind.provider(address), ...(kind.beside?.(address) ?? [])];
}

export function effectOf(spec: StoreSpec, around: AroundEffect): EffectStep {
  const { kind, address } = parse(spec);
  return kind.effect(around, address);
}

/** A store of its own for a test, with a directory where its processes leave traces. Both go with it. */
export class CrashStore implements AsyncDisposable {
  readonly spec: StoreSpec;
  readonly directory: string;
  readonly #store: OpenStore;

  private constructor(spec: StoreSpec, directory: string, store: OpenStore) {
    this.spec = spec;
    this.directory = directory;
    this.#store = store;
  }

  static async create(name: StoreName = "sqlite"): Promise<CrashStore> {
    const directory = mkdtempSync(join(tmpdir(), "wfe-crash-"));
    const address = await kinds[name].create(directory);
    return CrashStore.at(`${name}:${address}`, directory);
  }

  /** One that is there already, with the directory of its traces. */
  static at(spec: StoreSpec, directory: string): CrashStore {
    const { kind, address } = parse(spec);
    return new CrashStore(spec, directory, kind.open(address));
  }

  /** New providers of it, for a host of this process. */
  providers(): readonly Provider[] {
    return providersOf(this.spec);
  }

  /** The name of a file of the directory. */
  path(name: string): string {
    return join(this.directory, name);
  }

  /** Asks the store past WFE. */
  query<Row>(sql: string): Promise<Row[]> {
    return this.#store.query<Row>(sql);
  }

  /** How large the store is. */
  bytes(): Promise<number> {
    return this.#store.bytes();
  }

  /** Whether others than a frozen process can write. */
  isWritable(): Promise<boolean> {
    return this.#store.isWritable();
  }

  damage(): Promise<readonly string[]> {
    return this.#store.damage();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function parse(spec: StoreSpec): { readonly kind: StoreKind; readonly address: string } {
  const colon = spec.indexOf(":");
  return { kind: kinds[spec.slice(0, colon) as StoreName], address: spec.slice(colon + 1) };
}
