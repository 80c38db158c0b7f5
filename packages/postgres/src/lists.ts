import type { WorkflowFilter, WorkflowRow } from "@wfe/core/providers";
import { listGroups, pageOf, queryBuilder, type WorkflowList, workflowList } from "@wfe/sql";
import { type CompiledQuery, sql } from "kysely";
import { arrayOf } from "./arrays.ts";
import { findRows } from "./persistence.ts";
import type { Open } from "./postgres.ts";
import { rowOf } from "./rows.ts";

interface Page {
  readonly limit: number;
  readonly cursor?: string;
}

/** A page of rows that match, newest first. */
export async function listWorkflows(
  open: Open,
  filter: WorkflowFilter,
  page: Page,
): Promise<{ readonly items: readonly WorkflowRow[]; readonly cursor?: string }> {
  const list = listOf(open, filter);
  const definitions = await definitionsOf(open, filter);
  if (definitions.length === 0) return { items: [] };
  const wide = { ...page, limit: page.limit + 1 };
  const queries =
    filter.tag === undefined
      ? listGroups(filter, definitions).map((group) => list.rows(group, wide))
      : [list.taggedRows(definitions, wide)];
  const found = (await Promise.all(queries.map((query) => run(open, query)))).flat();
  const { runs, cursor } = pageOf(
    found.map((row) => ({ run: Number(row["run"]), created_at: Number(row["created_at"]) })),
    page.limit,
  );
  const rows = await findRows(open, "w.run = ANY ($1::bigint[])", [arrayOf(runs)]);
  const byRun = new Map(rows.map((row) => [row.run, rowOf(row)]));
  const items = runs.map((number) => byRun.get(number)).filter((row) => row !== undefined);
  return cursor === undefined ? { items } : { items, cursor };
}

/** How many rows match. */
export async function countWorkflows(open: Open, filter: WorkflowFilter): Promise<number> {
  const list = listOf(open, filter);
  const definitions = await definitionsOf(open, filter);
  if (definitions.length === 0) return 0;
  const queries =
    filter.tag === undefined
      ? listGroups(filter, definitions).map((group) => list.count(group))
      : [list.taggedCount(definitions)];
  const counts = await Promise.all(queries.map((query) => run(open, query)));
  return counts.reduce((sum, [row]) => sum + Number(row?.["count"] ?? 0), 0);
}

function listOf({ store }: Open, filter: WorkflowFilter): WorkflowList {
  return workflowList(
    queryBuilder("postgres", store.schemaName),
    filter,
    (event) =>
      sql<boolean>`exists (select 1 from json_array_elements(waiting_for::json) as waited (item) where item ->> 'event' = ${event})`,
  );
}

function run({ store }: Open, query: CompiledQuery): ReturnType<Open["store"]["read"]> {
  return store.read(query.sql, query.parameters);
}

async function definitionsOf({ store }: Open, { definitionId, version }: WorkflowFilter): Promise<number[]> {
  const rows = await store.read(
    `SELECT definition::text AS definition FROM $s.wfe_definitions
    WHERE ($1::text IS NULL OR id = $1) AND ($2::bigint IS NULL OR version = $2)`,
    [definitionId ?? null, version ?? null],
  );
  return rows.map((row) => Number(row["definition"]));
}
