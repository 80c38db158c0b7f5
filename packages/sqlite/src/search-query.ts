import type { FoundPage, IndexPage, IndexQuery, SearchBounds, SearchHit, SearchPlace } from "@wfe/core/providers";
import { bucketOf, matchText, placeBits } from "./search-terms.ts";
import type { Session } from "./session.ts";

/** SQL for what matches, from its FROM on, and what is bound to it. Its documents are `d`. */
export function matching(
  query: IndexQuery,
  joined: string = "",
): { readonly from: string; readonly values: readonly unknown[] } {
  const { namespace, all, any, createdAt, completedAt } = query;
  const conditions = ["t.wfe_search_terms MATCH ?"];
  const values: unknown[] = [matchText(namespace, all, any)];
  const add = (condition: string, ...bound: readonly unknown[]): void => {
    conditions.push(condition);
    values.push(...bound);
  };
  // By the document's number, which FTS5 can jump by; and exactly.
  if (createdAt.above !== undefined) add(`t.rowid >= ${firstOf}`, bucketOf(createdAt.above));
  if (createdAt.below !== undefined) add(`t.rowid < ${firstOf}`, bucketOf(createdAt.below) + 1);
  addBounds(add, "d.created_at", createdAt);
  addBounds(add, "d.completed_at", completedAt);
  for (const { path, from, to } of query.values) {
    add(
      "EXISTS (SELECT 1 FROM wfe_search_values v WHERE v.doc = d.doc AND v.path = ? AND v.value >= ? AND v.value <= ?)",
      path,
      from,
      to,
    );
  }
  const needsDocument = joined !== "" || conditions.length > 1;
  const tables = needsDocument
    ? `wfe_search_terms t CROSS JOIN wfe_search d ON d.doc = t.rowid ${joined}`
    : "wfe_search_terms t";
  return { from: `FROM ${tables} WHERE ${conditions.join(" AND ")}`, values };
}

/** The first number of the bucket that is bound. */
const firstOf = `(CAST(? AS INTEGER) << ${placeBits})`;

function addBounds(
  add: (condition: string, value: number) => void,
  column: string,
  { above, below }: SearchBounds,
): void {
  if (above !== undefined) add(`${column} > ?`, above);
  if (below !== undefined) add(`${column} < ?`, below);
}

/** A page of what matches. Reads as many documents as it gives, and the rest of those of the last one's millisecond. */
export function findDocuments(session: Session, query: IndexQuery, page: IndexPage): FoundPage {
  const { order, limit, after } = page;
  const compare = comparison(order);
  const { from, values } = matching(query, " ");
  const start =
    after === undefined ? "" : order === "newest" ? ` AND t.rowid < ${firstOf}` : ` AND t.rowid >= ${firstOf}`;
  const bucket = after === undefined ? [] : [bucketOf(after.createdAt) + (order === "newest" ? 1 : 0)];
  const sql = `SELECT d.run, d.id, d.created_at AS createdAt, d.doc >> ${placeBits} AS bucket ${from}${start}
    ORDER BY t.rowid ${order === "newest" ? "DESC" : "ASC"}`;

  const hits: SearchHit[] = [];
  let group: SearchHit[] = [];
  let groupBucket: number | undefined;
  // Within a bucket the order is another than that of numbers: by time where times share one, then by id.
  const closeGroup = (): void => {
    for (const hit of group.sort(compare)) if (after === undefined || compare(hit, after) > 0) hits.push(hit);
    group = [];
  };
  for (const row of session.iterate<SearchHit & { readonly bucket: number }>(sql, ...values, ...bucket)) {
    if (row.bucket !== groupBucket) {
      closeGroup();
      if (hits.length > limit) break;
      groupBucket = row.bucket;
    }
    group.push({ run: row.run, id: row.id, createdAt: row.createdAt });
  }
  closeGroup();
  return { hits: hits.slice(0, limit), more: hits.length > limit };
}

function comparison(order: IndexPage["order"]): (a: SearchPlace, b: SearchPlace) => number {
  return (a, b) =>
    (order === "newest" ? b.createdAt - a.createdAt : a.createdAt - b.createdAt) ||
    Buffer.compare(Buffer.from(a.id), Buffer.from(b.id));
}
