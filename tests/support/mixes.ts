import { randomUUID } from "node:crypto";
import type { Provider } from "@wfe/core/providers";
import { postgres } from "@wfe/postgres";
import { valkey } from "@wfe/valkey";
import { PostgresSchemas } from "../services/postgres-schemas.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { findValkeyUrl } from "../services/valkey.ts";
import { inSqlite, type StoreKind } from "./local-stores.ts";

const { service: valkeyUrl } = await findValkeyUrl();
const postgresServer = await sharedPostgresIfAny();

/** In a schema of its own. */
function inPostgres(url: string): StoreKind {
  const schemas = new PostgresSchemas(url);
  return {
    name: "postgres",
    open() {
      const schema = schemas.take();
      const providers: Provider[] = [];
      return {
        connect: () => {
          const provider = postgres(url, { schema, poolSize: 4 });
          providers.push(provider);
          return [provider];
        },
        remove: async () => {
          // A host that was killed has closed nothing.
          for (const provider of providers) await provider.close();
          await schemas.giveBack(schema);
        },
      };
    },
  };
}

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

const alone = postgresServer === undefined ? [] : [inPostgres(postgresServer.url)];

/** Stores that need servers, and the mixes of them. Those whose server cannot be had here are missing. */
export const mixes: readonly StoreKind[] = [
  ...alone,
  ...(valkeyUrl === undefined ? [] : [inSqlite, ...alone].map((store) => withValkey(store, valkeyUrl))),
];
