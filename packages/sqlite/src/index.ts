export type { SqliteOptions } from "./connection.ts";
export { inTransaction } from "./in-transaction.ts";
export { sqlite } from "./sqlite.ts";
