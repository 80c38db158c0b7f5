import { valkey } from "@wfe/valkey";
import { findValkey, type ValkeyServer } from "../../services/valkey.ts";
import type { OpenStore, StoreKind } from "./store-kind.ts";

interface ValkeyAddress {
  readonly url: string;
  /** Of the store beside it. */
  readonly store: string;
}

/** A store with a Valkey server of its own beside it, which has locks, queue and lifecycle. */
export function withValkey(kind: StoreKind): StoreKind {
  return {
    provider: (address) => kind.provider(parse(address).store),
    beside: (address) => [valkey(parse(address).url)],
    effect: (around, address) => kind.effect(around, parse(address).store),
    create: async (directory) => {
      const server = await ownServer();
      const store = await kind.create(directory);
      const address = JSON.stringify({ url: server.url, store } satisfies ValkeyAddress);
      servers.set(server.url, server);
      return address;
    },
    open: (address) => {
      const { url, store } = parse(address);
      const opened = kind.open(store);
      return {
        query: (sql) => opened.query(sql),
        bytes: () => opened.bytes(),
        isWritable: () => opened.isWritable(),
        damage: () => opened.damage(),
        async [Symbol.asyncDispose]() {
          await opened[Symbol.asyncDispose]();
          await servers.get(url)?.[Symbol.asyncDispose]();
        },
      } satisfies OpenStore;
    },
  };
}

/** The servers that this process has started. */
const servers = new Map<string, ValkeyServer>();

/** The server beside a store that this process has made. */
export function valkeyOf(spec: string): ValkeyServer {
  const { url } = parse(spec.slice(spec.indexOf(":") + 1));
  const server = servers.get(url);
  if (server === undefined) throw new Error("it was not this process that made the store");
  return server;
}

async function ownServer(): Promise<ValkeyServer> {
  const { service, reason } = await findValkey();
  if (service === undefined) throw new Error(reason);
  return service.start();
}

function parse(address: string): ValkeyAddress {
  return JSON.parse(address) as ValkeyAddress;
}
