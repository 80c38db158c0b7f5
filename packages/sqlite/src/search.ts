import type {
  FacetCount,
  IndexQuery,
  SearchChange,
  SearchFacet,
  SearchIndex,
  SearchWritten,
} from "@wfe/core/providers";
import { mostFacetValues } from "@wfe/core/providers";
import { isItemError } from "./errors.ts";
import { findDocuments, matching } from "./search-query.ts";
import { bucketOf, placeBits, termText } from "./search-terms.ts";
import type { Session } from "./session.ts";
import type { OpenStore } from "./sqlite.ts";

/** How long a deletion is remembered, so that a late write does not bring its document back. */
const deletionMs = 300_000;

interface Known {
  readonly revision: number;
  readonly createdAt: number;
}

/**
 * The index in the store's own file, by FTS5.
 *
 * A document's number is its place in the order of creation: the millisecond, and a counter within it. FTS5 gives what matches in
 * the order of those numbers, so a page costs what it shows, however much matches. They are too large for a JavaScript number, and
 * so never leave SQLite.
 */
export function sqliteSearch(opened: () => OpenStore): SearchIndex {
  return {
    name: "sqlite",

    attach: async () => {
      opened();
      // It is lost only with the store.
      return "sqlite";
    },

    write: async (changes) => {
      if (changes.length === 0) return [];
      return opened().transactions.write((session) => changes.map((change) => writeAlone(session, change)));
    },

    refresh: async () => {
      opened();
    },

    find: async (query, page) => opened().transactions.read((session) => findDocuments(session, query, page)),

    count: async (query, facets) =>
      opened().transactions.read((session) => {
        const { from, values } = matching(query);
        const counted = facets.map((facet) => [facet, countValues(session, query, facet)] as const);
        return {
          total: session.value<number>(`SELECT count(*) ${from}`, ...values) ?? 0,
          facets: Object.fromEntries(counted),
        };
      }),

    clear: async () => {
      await opened().transactions.write((session) => {
        session.run("INSERT INTO wfe_search_terms (wfe_search_terms) VALUES ('delete-all')");
        session.run("DELETE FROM wfe_search");
        session.run("DELETE FROM wfe_search_values");
        session.run("DELETE FROM wfe_search_gone");
      });
    },
  };
}

/** One change under a savepoint. */
function writeAlone(session: Session, change: SearchChange): SearchWritten {
  session.run("SAVEPOINT wfe_document");
  let result: SearchWritten;
  try {
    result = { outcome: write(session, change) ? "written" : "stale" };
  } catch (error) {
    if (!isItemError(error)) throw error;
    session.run("ROLLBACK TO wfe_document");
    result = { outcome: "refused", error: error as Error };
  }
  session.run("RELEASE wfe_document");
  return result;
}

/** False where something as new is there. */
function write(session: Session, { run, revision, document }: SearchChange): boolean {
  const find = "SELECT revision, created_at AS createdAt FROM wfe_search WHERE run = ?";
  const known = session.get<Known>(find, run);
  const gone =
    known === undefined
      ? session.value<number>("SELECT revision FROM wfe_search_gone WHERE run = ?", run)
      : known.revision;
  if (gone !== undefined && gone >= revision) return false;

  if (known !== undefined && document?.createdAt !== known.createdAt) remove(session, run);
  if (document === null) {
    session.run("DELETE FROM wfe_search_gone WHERE at < ?", session.now() - deletionMs);
    const bury = "INSERT OR REPLACE INTO wfe_search_gone (run, revision, at) VALUES (?, ?, ?)";
    session.run(bury, run, revision, session.now());
    return true;
  }
  const { id, createdAt, completedAt, namespace, terms } = document;
  const facets = JSON.stringify(document.facets);
  if (known?.createdAt === createdAt) {
    const update = "UPDATE wfe_search SET revision = ?, completed_at = ?, facets = ? WHERE run = ?";
    session.run(update, revision, completedAt, facets, run);
    session.run(`DELETE FROM wfe_search_values WHERE doc = (${documentOf})`, run);
  } else {
    if (gone !== undefined) session.run("DELETE FROM wfe_search_gone WHERE run = ?", run);
    session.run(
      `INSERT INTO wfe_search (doc, run, revision, id, created_at, completed_at, facets)
       SELECT coalesce(max(doc), CAST(@bucket AS INTEGER) << ${placeBits}) + 1, @run, @revision, @id, @createdAt,
         @completedAt, @facets
       FROM wfe_search
       WHERE doc >= CAST(@bucket AS INTEGER) << ${placeBits} AND doc < (CAST(@bucket AS INTEGER) + 1) << ${placeBits}`,
      { bucket: bucketOf(createdAt), run, revision, id, createdAt, completedAt, facets },
    );
  }
  session.run(
    `INSERT OR REPLACE INTO wfe_search_terms (rowid, terms) SELECT doc, ? FROM wfe_search WHERE run = ?`,
    termText(namespace, terms),
    run,
  );
  for (const { path, value } of document.values) {
    const add = `INSERT OR IGNORE INTO wfe_search_values (path, value, doc) VALUES (?, ?, (${documentOf}))`;
    session.run(add, path, value, run);
  }
  return true;
}

const documentOf = "SELECT doc FROM wfe_search WHERE run = ?";

function remove(session: Session, run: number): void {
  session.run(`DELETE FROM wfe_search_terms WHERE rowid = (${documentOf})`, run);
  session.run(`DELETE FROM wfe_search_values WHERE doc = (${documentOf})`, run);
  session.run("DELETE FROM wfe_search WHERE run = ?", run);
}

function countValues(session: Session, query: IndexQuery, facet: SearchFacet): FacetCount[] {
  const { from, values } = matching(query, `, json_each(d.facets, '$.${facet}') f`);
  return session.all<FacetCount>(
    `SELECT f.value AS value, count(*) AS count ${from} GROUP BY f.value ORDER BY 2 DESC, 1 LIMIT ${mostFacetValues}`,
    ...values,
  );
}
