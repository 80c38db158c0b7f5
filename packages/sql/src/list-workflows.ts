import { finalStatuses, InvalidOptionError } from "@wfe/core/providers";
import type { Run, WorkflowFilter, WorkflowStatus } from "@wfe/core/providers";
import { type CompiledQuery, type Expression, type Kysely, type SelectQueryBuilder, sql, type SqlBool } from "kysely";
import type { Tables } from "./tables.ts";

/**
 * A part of the instances that an index holds together, in the order of lists. A list is the merge of its groups' first rows;
 * so it costs what it gives, however many workflows there are.
 */
export interface ListGroup {
  /** Its number; or what stands for it in a statement that asks for many of them. */
  readonly definition: number | Expression<number>;
  /** A final status, or `suspended`, which is rare among those that have not ended. Null: all that have not ended. */
  readonly status: WorkflowStatus | null;
}

/** Where a page begins: after this row. */
interface Place {
  readonly createdAt: number;
  readonly run: Run;
}

/** Makes the queries of `list` and `count`. */
export interface WorkflowList {
  /** Up to `limit` of the group's rows, as `run` and `created_at`, newest first. */
  rows(group: ListGroup, page: { readonly limit: number; readonly cursor?: string }): CompiledQuery;
  /** The same of the workflows with the filter's tag, of all groups at once. */
  taggedRows(definitions: readonly number[], page: { readonly limit: number; readonly cursor?: string }): CompiledQuery;
  /** How many the group has, as `count`. */
  count(group: ListGroup): CompiledQuery;
  taggedCount(definitions: readonly number[]): CompiledQuery;
}

const unfinished: readonly WorkflowStatus[] = ["runnable", "waiting", "suspended"];

/** The groups that may hold what the filter is for, out of the definitions that it is for. */
export function listGroups(
  filter: WorkflowFilter,
  definitions: readonly ListGroup["definition"][],
): readonly ListGroup[] {
  const statuses = statusesOf(filter);
  const groups: (WorkflowStatus | null)[] = finalStatuses.filter((status) => statuses.includes(status));
  const live = unfinished.filter((status) => statuses.includes(status));
  if (live.length > 0) groups.push(live.length === 1 && live[0] === "suspended" ? "suspended" : null);
  // What has ended waits for nothing.
  const wanted =
    filter.waitingForEvent === undefined ? groups : groups.filter((status) => status === null || live.includes(status));
  return definitions.flatMap((definition) => wanted.map((status) => ({ definition, status })));
}

/** `waitsFor` is the database's way to look for the name of an event into `waiting_for`. */
export function workflowList(
  db: Kysely<Tables>,
  filter: WorkflowFilter,
  waitsFor: (event: string) => Expression<SqlBool>,
): WorkflowList {
  type Workflows = SelectQueryBuilder<Tables, "wfe_workflows", object>;
  const statuses = statusesOf(filter);

  const ofGroup = ({ definition, status }: ListGroup): Workflows => {
    let query: Workflows = db
      .selectFrom("wfe_workflows")
      .where("namespace", "=", filter.namespace)
      .where("definition", "=", definition);
    // Spelled out where an index is partial by it: a value that is bound would not tell that the index can be used.
    if (status === "suspended") query = query.where("status", "=", sql.lit(status));
    else if (status !== null) query = query.where("ended", "=", sql.lit(1)).where("status", "=", status);
    else {
      query = query.where("ended", "=", sql.lit(0));
      if (!unfinished.every((one) => statuses.includes(one))) query = query.where("status", "in", statuses);
    }
    if (filter.createdAfter !== undefined) query = query.where("created_at", ">", filter.createdAfter);
    if (filter.createdBefore !== undefined) query = query.where("created_at", "<", filter.createdBefore);
    if (filter.waitingForEvent !== undefined) query = query.where(waitsFor(filter.waitingForEvent));
    return query;
  };

  const tagged = (definitions: readonly number[]) => {
    let query = db
      .selectFrom("wfe_tags")
      .innerJoin("wfe_workflows", "wfe_workflows.run", "wfe_tags.run")
      .where("wfe_tags.namespace", "=", filter.namespace)
      .where("wfe_tags.tag", "=", filter.tag ?? "")
      .where("wfe_workflows.definition", "in", definitions);
    if (filter.status !== undefined) query = query.where("wfe_workflows.status", "in", statuses);
    if (filter.createdAfter !== undefined) query = query.where("wfe_tags.created_at", ">", filter.createdAfter);
    if (filter.createdBefore !== undefined) query = query.where("wfe_tags.created_at", "<", filter.createdBefore);
    if (filter.waitingForEvent !== undefined) query = query.where(waitsFor(filter.waitingForEvent));
    return query;
  };

  return {
    rows(group, page) {
      const after = placeOf(page.cursor);
      let query = ofGroup(group);
      if (after !== undefined) {
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple("created_at", "run"), "<", tuple(after.createdAt, after.run)),
        );
      }
      return query
        .select(["run", "created_at"])
        .orderBy("created_at", "desc")
        .orderBy("run", "desc")
        .limit(page.limit)
        .compile();
    },

    taggedRows(definitions, page) {
      const after = placeOf(page.cursor);
      let query = tagged(definitions);
      if (after !== undefined) {
        query = query.where(({ eb, refTuple, tuple }) =>
          eb(refTuple("wfe_tags.created_at", "wfe_tags.run"), "<", tuple(after.createdAt, after.run)),
        );
      }
      return query
        .select(["wfe_tags.run", "wfe_tags.created_at"])
        .orderBy("wfe_tags.created_at", "desc")
        .orderBy("wfe_tags.run", "desc")
        .limit(page.limit)
        .compile();
    },

    count: (group) =>
      ofGroup(group)
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .compile(),

    taggedCount: (definitions) =>
      tagged(definitions)
        .select(({ fn }) => fn.countAll<number>().as("count"))
        .compile(),
  };
}

/**
 * The page that the groups' rows make together. Ask each group for one row more than the page has: where one is left over there
 * is a next page, and a cursor.
 */
export function pageOf(
  rows: readonly { readonly run: Run; readonly created_at: number }[],
  limit: number,
): { readonly runs: readonly Run[]; readonly cursor?: string } {
  const ordered = rows.toSorted((a, b) => b.created_at - a.created_at || b.run - a.run);
  const page = ordered.slice(0, limit);
  const last = page.at(-1);
  const runs = page.map(({ run }) => run);
  return ordered.length > limit && last !== undefined ? { runs, cursor: `${last.created_at}.${last.run}` } : { runs };
}

function statusesOf(filter: WorkflowFilter): readonly WorkflowStatus[] {
  if (filter.status === undefined) return [...unfinished, ...finalStatuses];
  return typeof filter.status === "string" ? [filter.status] : filter.status;
}

function placeOf(cursor: string | undefined): Place | undefined {
  if (cursor === undefined) return undefined;
  const match = /^(-?\d+)\.(\d+)$/.exec(cursor);
  if (match === null) {
    throw new InvalidOptionError(
      `\`cursor\` is not one that a list has given: "${cursor}". Pass the last page's cursor`,
    );
  }
  return { createdAt: Number(match[1]), run: Number(match[2]) };
}
