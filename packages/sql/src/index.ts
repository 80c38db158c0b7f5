export { type ListGroup, listGroups, pageOf, type WorkflowList, workflowList } from "./list-workflows.ts";
export { type Migration, pendingMigrations, type StatementSource } from "./migrations.ts";
export { type Dialect, queryBuilder } from "./query-builder.ts";
export { type SharedTable, sharedTables } from "./schema.ts";
export type { Tables } from "./tables.ts";
