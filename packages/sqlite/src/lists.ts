import type { WorkflowFilter, WorkflowRow } from "@wfe/core/providers";
import { listGroups, pageOf, queryBuilder, type WorkflowList, workflowList } from "@wfe/sql";
import { sql } from "kysely";
import { readRows } from "./rows.ts";
import type { Session } from "./session.ts";

interface Page {
  readonly limit: number;
  readonly cursor?: string;
}

const builder = queryBuilder("sqlite");

/** A page of rows that match, newest first. */
export function listWorkflows(
  session: Session,
  filter: WorkflowFilter,
  page: Page,
): { readonly items: readonly WorkflowRow[]; readonly cursor?: string } {
  const list = listOf(filter);
  const definitions = definitionsOf(session, filter);
  const wide = { ...page, limit: page.limit + 1 };
  const queries =
    filter.tag === undefined
      ? listGroups(filter, definitions).map((group) => list.rows(group, wide))
      : [list.taggedRows(definitions, wide)];
  const found = queries.flatMap((query) =>
    session.all<{ readonly run: number; readonly created_at: number }>(query.sql, ...query.parameters),
  );
  const { runs, cursor } = pageOf(found, page.limit);
  const rows = readRows(session, runs);
  const items = runs.map((run) => rows.get(run)?.row).filter((row) => row !== undefined);
  return cursor === undefined ? { items } : { items, cursor };
}

/** How many rows match. */
export function countWorkflows(session: Session, filter: WorkflowFilter): number {
  const list = listOf(filter);
  const definitions = definitionsOf(session, filter);
  const queries =
    filter.tag === undefined
      ? listGroups(filter, definitions).map((group) => list.count(group))
      : [list.taggedCount(definitions)];
  return queries.reduce((sum, query) => sum + (session.value<number>(query.sql, ...query.parameters) ?? 0), 0);
}

function listOf(filter: WorkflowFilter): WorkflowList {
  return workflowList(
    builder,
    filter,
    (event) =>
      sql<boolean>`exists (select 1 from json_each(wfe_workflows.waiting_for) where value ->> 'event' = ${event})`,
  );
}

function definitionsOf(session: Session, { definitionId, version }: WorkflowFilter): number[] {
  return session.values<number>(
    "SELECT definition FROM wfe_definitions WHERE (? IS NULL OR id = ?) AND (? IS NULL OR version = ?)",
    definitionId ?? null,
    definitionId ?? null,
    version ?? null,
    version ?? null,
  );
}
