export { inTransaction } from "./in-transaction.ts";
export { postgres, type PostgresOptions } from "./postgres.ts";
export type { PostgresSource } from "./target.ts";
