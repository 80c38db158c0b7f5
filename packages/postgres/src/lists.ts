import type { WorkflowFilter, WorkflowRow } from "@wfe/core/providers";
import { type ListGroup, listGroups, pageOf, queryBuilder, type WorkflowList, workflowList } from "@wfe/sql";
import { type CompiledQuery, sql } from "kysely";
import { arrayOf } from "./arrays.ts";
import { findRows } from "./persistence.ts";
import type { Open } from "./postgres.ts";
import { rowOf } from "./rows.ts";
import type { Row } from "./target.ts";

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
  const found =
    filter.tag === undefined
      ? await ofGroups(open, filter, definitions, (group) => list.rows(group, wide), {
          select: "found.run::text AS run, found.created_at::text AS created_at",
          of: `ORDER BY found.created_at DESC, found.run DESC LIMIT ${wide.limit}`,
        })
      : await run(open, list.taggedRows(definitions, wide));
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
  const counts =
    filter.tag === undefined
      ? await ofGroups(open, filter, definitions, (group) => list.count(group), {
          select: "sum(found.count)::text AS count",
        })
      : await run(open, list.taggedCount(definitions));
  return counts.reduce((sum, row) => sum + Number(row["count"] ?? 0), 0);
}

/** One statement for each kind of group, whatever the number of definitions: it looks into the index once for each of them. */
async function ofGroups(
  { store }: Open,
  filter: WorkflowFilter,
  definitions: readonly number[],
  queryOf: (group: ListGroup) => CompiledQuery,
  { select, of = "" }: { readonly select: string; readonly of?: string },
): Promise<readonly Row[]> {
  const found = listGroups(filter, [sql.ref<number>("each.definition")]).map((group) => {
    const query = queryOf(group);
    const statement = `SELECT ${select} FROM unnest($${query.parameters.length + 1}::bigint[]) AS each (definition)
      CROSS JOIN LATERAL (${query.sql}) found ${of}`;
    return store.read(statement, [...query.parameters, arrayOf(definitions)]);
  });
  return (await Promise.all(found)).flat();
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
