import type {
  FacetCount,
  FoundPage,
  IndexPage,
  IndexQuery,
  SearchBounds,
  SearchChange,
  SearchCounts,
  SearchFacet,
  SearchHit,
  SearchIndex,
  SearchWritten,
} from "@wfe/core/providers";
import { mostFacetValues } from "@wfe/core/providers";
import { isItemError } from "./errors.ts";
import { causeOf } from "./failed.ts";
import type { Open } from "./postgres.ts";

/** How long a deletion is remembered, so that a late write does not bring its document back. */
const deletionMs = 300_000;

/** The index in the store's own database: terms in a `tsvector` with a GIN index, made by us and not by a text search configuration. */
export function postgresSearch(opened: () => Open): SearchIndex {
  return {
    name: "postgres",

    attach: async () => {
      opened();
      // It is lost only with the store.
      return "postgres";
    },

    write: async (changes) => {
      const results: SearchWritten[] = [];
      for (const batch of batches(changes)) results.push(...(await write(opened(), batch)));
      return results;
    },

    refresh: async () => {
      opened();
    },

    find: async (query, page) => find(opened(), query, page),

    count: async (query, facets) => count(opened(), query, facets),

    clear: async () => {
      const { store } = opened();
      await store.write(store.shared, "DELETE FROM $s.wfe_search");
    },
  };
}

/** Of one run one change: a statement writes a row once. */
function* batches(changes: readonly SearchChange[]): Generator<readonly SearchChange[]> {
  let batch = new Map<number, SearchChange>();
  for (const change of changes) {
    if (batch.has(change.run)) {
      yield [...batch.values()];
      batch = new Map();
    }
    batch.set(change.run, change);
  }
  if (batch.size > 0) yield [...batch.values()];
}

async function write(open: Open, changes: readonly SearchChange[]): Promise<SearchWritten[]> {
  const { store } = open;
  try {
    const { rows } = JSON.parse(
      String(
        (await store.writeOrFail(store.shared, upsert, [store.now, JSON.stringify(changes.map(itemOf))]))[0]?.["json"],
      ),
    ) as { readonly rows: readonly number[] };
    const written = new Set(rows);
    return changes.map(({ run }) => ({ outcome: written.has(run) ? "written" : "stale" }));
  } catch (error) {
    if (!isItemError(causeOf(error))) throw store.failure(error);
    if (changes.length === 1) return [{ outcome: "refused", error: store.failure(error) }];
  }
  // One of them is to blame: each is asked.
  const results: SearchWritten[] = [];
  for (const change of changes) results.push(...(await write(open, [change])));
  return results;
}

/** A deletion is a row without a document, which no query finds, and which goes after a while. */
const upsert = `WITH old AS (
    DELETE FROM $s.wfe_search WHERE namespace IS NULL AND at < $s.wfe_now($1::bigint) - ${deletionMs}
      AND run NOT IN (SELECT run FROM json_to_recordset($2::json) AS i (run bigint))
  ), written AS (
    INSERT INTO $s.wfe_search AS s (run, revision, at, namespace, id, created_at, completed_at, terms, "values", facets)
    SELECT run, revision, $s.wfe_now($1::bigint), namespace, id, "createdAt", "completedAt",
      array_to_tsvector(ARRAY(SELECT json_array_elements_text(terms))), "values", facets
    FROM json_to_recordset($2::json) AS i (run bigint, revision bigint, namespace text, id text, "createdAt" bigint,
      "completedAt" bigint, terms json, "values" jsonb, facets jsonb)
    ORDER BY run
    ON CONFLICT (run) DO UPDATE SET revision = excluded.revision, at = excluded.at, namespace = excluded.namespace,
      id = excluded.id, created_at = excluded.created_at, completed_at = excluded.completed_at, terms = excluded.terms,
      "values" = excluded."values", facets = excluded.facets
    WHERE s.revision < excluded.revision
    RETURNING run
  )
  SELECT json_build_object('rows', coalesce(json_agg(run), '[]'::json))::text AS json FROM written`;

function itemOf({ run, revision, document }: SearchChange): object {
  if (document === null) return { run, revision, terms: [] };
  const { namespace, id, createdAt, completedAt, terms, facets } = document;
  const values: Record<string, number[]> = Object.create(null) as Record<string, number[]>;
  for (const { path, value } of document.values) (values[path] ??= []).push(value);
  return { run, revision, namespace, id, createdAt, completedAt, terms, values, facets };
}

async function find({ store }: Open, query: IndexQuery, page: IndexPage): Promise<FoundPage> {
  const { where, values } = matching(query);
  const { order, limit, after } = page;
  const time = order === "newest" ? "<" : ">";
  const next = values.length + 1;
  const from =
    after === undefined
      ? ""
      : ` AND s.created_at ${time}= $${next}::bigint
          AND (s.created_at ${time} $${next}::bigint OR s.id > $${next + 1} COLLATE "C")`;
  const bound = after === undefined ? values : [...values, after.createdAt, after.id];
  const inOrder = `created_at ${order === "newest" ? "DESC" : "ASC"}, id ASC`;
  const isRare = query.all.length + query.any.length > 0 && (await isFew(store, where, values));
  const hits = await store.readJson<SearchHit[]>(
    `SELECT json_agg(json_build_object('run', run, 'id', id, 'createdAt', created_at) ORDER BY ${inOrder})::text AS json
    FROM (
      ${
        isRare
          ? `SELECT s.run, s.id, s.created_at FROM (
              SELECT s.run, s.id, s.created_at FROM $s.wfe_search s WHERE ${where}${from} OFFSET 0
            ) s`
          : `SELECT s.run, s.id, s.created_at FROM $s.wfe_search s WHERE ${where}${from}`
      }
      ORDER BY ${inOrder} LIMIT $${bound.length + 1}::bigint
    ) s`,
    [...bound, limit + 1],
  );
  return { hits: (hits ?? []).slice(0, limit), more: (hits ?? []).length > limit };
}

/** Of words that it has no statistics of, PostgreSQL takes this share of the rows to have them. */
const shareOfUnknown = 0.006;

/**
 * Whether few match, as far as the planner knows. Then they are found by the words and sorted; else the order is gone through until
 * the page is full. Left to itself it would do that for rare words too, and go through everything.
 */
async function isFew(store: Open["store"], where: string, values: readonly unknown[]): Promise<boolean> {
  const [row] = await store.read(`EXPLAIN (FORMAT JSON) SELECT 1 FROM $s.wfe_search s WHERE ${where}`, values);
  const [all] = await store.read("SELECT reltuples::text AS rows FROM pg_class WHERE oid = to_regclass($1)", [
    store.sql("$s.wfe_search"),
  ]);
  const told: unknown = row?.["QUERY PLAN"];
  const [explained] = (typeof told === "string" ? JSON.parse(told) : told) as [{ Plan?: { "Plan Rows"?: number } }];
  const estimate = explained?.Plan?.["Plan Rows"] ?? 0;
  return estimate <= Math.max(1_000, Number(all?.["rows"]) * shareOfUnknown);
}

async function count({ store }: Open, query: IndexQuery, facets: readonly SearchFacet[]): Promise<SearchCounts> {
  const { where, values } = matching(query);
  const ofFacet = (
    facet: SearchFacet,
  ): string => `(SELECT coalesce(json_agg(json_build_object('value', value, 'count', count)
      ORDER BY count DESC, value COLLATE "C"), '[]'::json)
    FROM (
      SELECT f.value, count(*) AS count FROM matching CROSS JOIN LATERAL jsonb_array_elements_text(facets -> '${facet}') AS f (value)
      GROUP BY f.value ORDER BY count(*) DESC, f.value COLLATE "C" LIMIT ${mostFacetValues}
    ) counted)`;
  const counted = await store.readJson<{
    readonly total: number;
    readonly facets: Readonly<Record<string, readonly FacetCount[]>>;
  }>(
    `WITH matching AS (SELECT ${facets.length === 0 ? "1" : "s.facets"} FROM $s.wfe_search s WHERE ${where})
    SELECT json_build_object('total', (SELECT count(*) FROM matching),
      'facets', json_build_object(${facets.map((facet) => `'${facet}', ${ofFacet(facet)}`).join(", ")}))::text AS json`,
    values,
  );
  return counted ?? { total: 0, facets: {} };
}

/** The condition for what matches, and what is bound to it. */
function matching(query: IndexQuery): { readonly where: string; readonly values: readonly unknown[] } {
  const { namespace, all, any, createdAt, completedAt } = query;
  const conditions: string[] = [];
  const values: unknown[] = [];
  const bind = (value: unknown, type: string): string => {
    values.push(value);
    return `$${values.length}::${type}`;
  };
  conditions.push(`s.namespace = ${bind(namespace, "text")}`);
  if (all.length + any.length > 0) conditions.push(`s.terms @@ ${bind(tsquery(all, any), "tsquery")}`);
  const addBounds = (column: string, { above, below }: SearchBounds): void => {
    if (above !== undefined) conditions.push(`${column} > ${bind(above, "bigint")}`);
    if (below !== undefined) conditions.push(`${column} < ${bind(below, "bigint")}`);
  };
  addBounds("s.created_at", createdAt);
  addBounds("s.completed_at", completedAt);
  for (const { path, from, to } of query.values) {
    conditions.push(
      `EXISTS (SELECT FROM jsonb_array_elements_text(s."values" -> ${bind(path, "text")}) AS v (value)
        WHERE v.value::float8 >= ${bind(from, "float8")} AND v.value::float8 <= ${bind(to, "float8")})`,
    );
  }
  return { where: conditions.join(" AND "), values };
}

/** In quotes each, so that nothing in a term is an operator. */
function tsquery(all: readonly string[], any: readonly (readonly string[])[]): string {
  const quoted = (term: string): string => `'${term.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
  return [...all.map(quoted), ...any.map((some) => `( ${some.map(quoted).join(" | ")} )`)].join(" & ");
}
