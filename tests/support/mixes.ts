import { randomUUID } from "node:crypto";
import { valkey } from "@wfe/valkey";
import { findValkey } from "../services/valkey.ts";
import { inSqlite, type StoreKind } from "./local-stores.ts";

const found = await findValkey();
// It ends with this process.
const server = await found.service?.start();

/** The same store with Valkey beside it, which has locks, queue and lifecycle. */
function withValkey(store: StoreKind, url: string): StoreKind {
  return {
    name: `${store.name} + valkey`,
    open(clock) {
      const opened = store.open(clock);
      const prefix = randomUUID();
      return {
        connect: () => [...opened.connect(), valkey(url, { prefix })],
        remove: () => opened.remove(),
      };
    },
  };
}

/** Stores that need servers, and the mixes of them. Those whose server cannot be had here are missing. */
export const mixes: readonly StoreKind[] = server === undefined ? [] : [withValkey(inSqlite, server.url)];
