import { inMemory, inSqlite, type StoreKind } from "./local-stores.ts";

export type { StoreKind, TestStore } from "./local-stores.ts";

/**
 * Each store that a suite runs on, with the same expectations. With `WFE_STORES=mixes` these are the ones that need servers: see
 * `mixes.ts`.
 */
export const stores: readonly StoreKind[] =
  process.env["WFE_STORES"] === "mixes" ? (await import("./mixes.ts")).mixes : [inMemory, inSqlite];
