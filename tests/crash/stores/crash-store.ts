import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Provider } from "@wfe/core/providers";
import type { AroundEffect, EffectStep, OpenStore, StoreKind } from "./store-kind.ts";

export type StoreName = "sqlite" | "postgres" | "sqlite+valkey" | "postgres+valkey";

const sqlite = async (): Promise<StoreKind> => (await import("./sqlite-kind.ts")).sqliteKind;
const postgres = async (): Promise<StoreKind> => (await import("./postgres-kind.ts")).postgresKind;
const withValkey = async (store: Promise<StoreKind>): Promise<StoreKind> =>
  (await import("./valkey-kind.ts")).withValkey(await store);

/** Drivers take as long to load as all the rest, and a process that is to be killed soon should come up soon. */
const loaders: Readonly<Record<StoreName, () => Promise<StoreKind>>> = {
  sqlite,
  postgres,
  "sqlite+valkey": () => withValkey(sqlite()),
  "postgres+valkey": () => withValkey(postgres()),
};
const loaded = new Map<StoreName, StoreKind>();

/** How a process reaches a store: `sqlite:/tmp/x/app.db`. */
export type StoreSpec = `${StoreName}:${string}`;

/** Loads what the others need for a store. A process that is told of one calls this first; a `CrashStore` has. */
export async function loadStore(spec: StoreName | StoreSpec): Promise<void> {
  const { name } = nameOf(spec);
  if (!loaded.has(name)) loaded.set(name, await loaders[name]());
}

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
    await loadStore(name);
    const address = await kindOf(name).create(directory);
    return CrashStore.at(`${name}:${address}`, directory);
  }

  /** One that is there already, with the directory of its traces. */
  static async at(spec: StoreSpec, directory: string): Promise<CrashStore> {
    await loadStore(spec);
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
  const { name, address } = nameOf(spec);
  return { kind: kindOf(name), address };
}

function nameOf(spec: StoreName | StoreSpec): { readonly name: StoreName; readonly address: string } {
  const [name = ""] = spec.split(":", 1);
  return { name: name as StoreName, address: spec.slice(name.length + 1) };
}

function kindOf(name: StoreName): StoreKind {
  const kind = loaded.get(name);
  if (kind === undefined) throw new Error(`${name} is not loaded: call loadStore first`);
  return kind;
}
