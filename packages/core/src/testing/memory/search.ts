import type {
  IndexPage,
  IndexQuery,
  Run,
  SearchBounds,
  SearchDocument,
  SearchFacet,
  SearchIndex,
  SearchPlace,
} from "../../providers/index.ts";
import { mostFacetValues } from "../../providers/index.ts";
import { byCodePoints } from "../../search/terms.ts";

interface Kept {
  readonly run: Run;
  readonly revision: number;
  /** null: deleted. */
  readonly document: SearchDocument | null;
  readonly terms: ReadonlySet<string>;
}

/** A search index that looks at every document: right, and fast enough for tests. `opened` throws where the provider is not open. */
export function memorySearch(name: string, opened: () => unknown): SearchIndex {
  const documents = new Map<Run, Kept>();

  const matching = (query: IndexQuery): (SearchDocument & { readonly run: Run })[] => {
    const found: (SearchDocument & { readonly run: Run })[] = [];
    for (const { run, document, terms } of documents.values())
      if (document !== null && matches(query, document, terms)) found.push({ ...document, run });
    return found;
  };

  return {
    name,

    attach: async () => {
      opened();
      return name;
    },

    write: async (changes) => {
      opened();
      return changes.map(({ run, revision, document }) => {
        if ((documents.get(run)?.revision ?? 0) >= revision) return { outcome: "stale" };
        documents.set(run, { run, revision, document, terms: new Set(document?.terms) });
        return { outcome: "written" };
      });
    },

    refresh: async () => {
      opened();
    },

    find: async (query, page) => {
      opened();
      const { after, limit } = page;
      const order = comparison(page.order);
      const found = matching(query)
        .filter((place) => after === undefined || order(place, after) > 0)
        .sort(order);
      const hits = found.slice(0, limit).map(({ run, id, createdAt }) => ({ run, id, createdAt }));
      return { hits, more: found.length > limit };
    },

    count: async (query, facets) => {
      opened();
      const found = matching(query);
      const counts = facets.map((facet) => [facet, countValues(found, facet)] as const);
      return { total: found.length, facets: Object.fromEntries(counts) };
    },

    clear: async () => {
      opened();
      documents.clear();
    },
  };
}

function matches(query: IndexQuery, document: SearchDocument, terms: ReadonlySet<string>): boolean {
  return (
    document.namespace === query.namespace &&
    query.all.every((term) => terms.has(term)) &&
    query.any.every((some) => some.some((term) => terms.has(term))) &&
    isWithin(document.createdAt, query.createdAt) &&
    isWithin(document.completedAt, query.completedAt) &&
    query.values.every(({ path, from, to }) =>
      document.values.some((each) => each.path === path && each.value >= from && each.value <= to),
    )
  );
}

function isWithin(time: number | null, { above, below }: SearchBounds): boolean {
  if (above === undefined && below === undefined) return true;
  return time !== null && (above === undefined || time > above) && (below === undefined || time < below);
}

function comparison(order: IndexPage["order"]): (a: SearchPlace, b: SearchPlace) => number {
  return (a, b) =>
    (order === "newest" ? b.createdAt - a.createdAt : a.createdAt - b.createdAt) || byCodePoints(a.id, b.id);
}

function countValues(
  documents: readonly SearchDocument[],
  facet: SearchFacet,
): readonly { readonly value: string; readonly count: number }[] {
  const counts = new Map<string, number>();
  for (const { facets } of documents)
    for (const value of facets[facet]) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((a, b) => b.count - a.count || byCodePoints(a.value, b.value))
    .slice(0, mostFacetValues);
}
