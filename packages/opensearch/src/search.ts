import type {
  FacetCount,
  IndexPage,
  IndexQuery,
  Runtime,
  SearchBounds,
  SearchChange,
  SearchFacet,
  SearchIndex,
  SearchWritten,
} from "@wfe/core/providers";
import { mostFacetValues, StoreError } from "@wfe/core/providers";
import { Generations } from "./generations.ts";
import { facetField, sourceOf, valueTerm } from "./mapping.ts";
import type { CheckedOptions } from "./options.ts";
import { explainAnswer, reasonOfError, type Requests } from "./requests.ts";

/** Bytes of one `_bulk`, about: far below what OpenSearch takes, and enough to be worth it. */
const bulkBytes = 4 * 1024 * 1024;
const firstPauseMs = 200;

/** An open connection. */
export interface OpenSearchConnection {
  readonly requests: Requests;
  readonly runtime: Runtime;
}

/** `opened` gives the connection, or throws where the provider is not open. */
export function openSearchIndex(options: CheckedOptions, opened: () => OpenSearchConnection): SearchIndex {
  const { alias } = options;
  const generations = (): Generations => new Generations(opened(), options);
  return {
    name: `opensearch:${alias}`,

    attach: (store) => generations().attach(store),

    write: async (changes) => {
      const results: SearchWritten[] = [];
      for (const batch of batches(changes)) results.push(...(await writeBatch(options, opened(), batch)));
      return results;
    },

    refresh: async () => {
      await opened().requests.send({ method: "POST", path: `/${alias}/_refresh` });
    },

    find: async (query, page) => {
      const { body } = await opened().requests.send({
        method: "POST",
        path: `/${alias}/_search`,
        body: { ...findBody(page), query: filterOf(query), _source: false, track_total_hits: false },
      });
      const found = body.hits.hits as readonly { readonly _id: string; readonly sort: readonly [number, string] }[];
      const hits = found
        .slice(0, page.limit)
        .map(({ _id, sort: [createdAt, id] }) => ({ run: Number(_id), id, createdAt }));
      return { hits, more: found.length > page.limit };
    },

    count: async (query, facets) => {
      const { body } = await opened().requests.send({
        method: "POST",
        path: `/${alias}/_search`,
        body: { size: 0, query: filterOf(query), track_total_hits: true, aggs: countsOf(facets) },
      });
      const counted = facets.map((facet) => [facet, facetCounts(body.aggregations?.[facet])] as const);
      return { total: body.hits.total.value as number, facets: Object.fromEntries(counted) };
    },

    clear: () => generations().replace(),
  };
}

type Sized = SearchChange & { readonly lines: readonly object[] };

function* batches(changes: readonly SearchChange[]): Generator<readonly Sized[]> {
  let batch: Sized[] = [];
  let bytes = 0;
  for (const change of changes) {
    batch.push({ ...change, lines: linesOf(change) });
    for (const term of change.document?.terms ?? []) bytes += term.length + 3;
    bytes += 500;
    if (bytes < bulkBytes) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

function linesOf({ run, revision, document }: SearchChange): readonly object[] {
  // OpenSearch keeps the highest version of a document, deletions included: what comes late or again changes nothing.
  const place = { _id: String(run), version: revision, version_type: "external", require_alias: true };
  if (document !== null) return [{ index: place }, sourceOf(run, document)];
  const { require_alias: _, ...gone } = place;
  return [{ delete: gone }];
}

/** Sends a batch, and what of it the cluster was too busy for again, with pauses between. */
async function writeBatch(
  { alias, retries, where }: CheckedOptions,
  { requests, runtime }: OpenSearchConnection,
  batch: readonly Sized[],
): Promise<readonly SearchWritten[]> {
  const results = new Map<Sized, SearchWritten>();
  let pending = batch;
  for (let tries = 0; ; tries++) {
    const { body } = await requests.send({
      method: "POST",
      path: `/${alias}/_bulk`,
      lines: pending.flatMap(({ lines }) => lines),
      query: { require_alias: true },
    });
    const items = body.items as readonly Record<string, BulkItem>[];
    const again: Sized[] = [];
    let busy = "";
    for (const [number, change] of pending.entries()) {
      const item = Object.values(items[number] ?? {})[0];
      const judged = judge(item, where);
      if (judged !== "busy") results.set(change, judged);
      else {
        again.push(change);
        busy = reasonOfError(item?.error);
      }
    }
    if (again.length === 0) return batch.map((change) => results.get(change) ?? { outcome: "stale" });
    if (tries >= retries) {
      const message = `${where}: the cluster is too busy for ${again.length} documents (${busy}): it is tried again`;
      throw new StoreError("SEARCH_BUSY", message, { outcome: "unknown", transient: true });
    }
    pending = again;
    const pauseMs = firstPauseMs * 2 ** tries * (0.5 + runtime.random() / 2);
    await new Promise<void>((resolve) => runtime.clock.setTimer(pauseMs, resolve));
  }
}

interface BulkItem {
  readonly status: number;
  readonly error?: unknown;
}

/** Throws where the index is not there or cannot be written: nothing of the batch can be then. */
function judge(item: BulkItem | undefined, where: string): SearchWritten | "busy" {
  const status = item?.status ?? 500;
  // The deletion of what is not there is done.
  if (item?.error === undefined && (status < 300 || status === 404)) return { outcome: "written" };
  if (status === 409) return { outcome: "stale" };
  const { code, text, transient } = explainAnswer(status, reasonOfError(item?.error));
  if (code === "SEARCH_BUSY") return "busy";
  const error = new StoreError(code, `${where}: ${text}`, { outcome: "not-applied", transient });
  if (code !== "SEARCH_FAILED") throw error;
  return { outcome: "refused", error };
}

function findBody({ order, limit, after }: IndexPage): object {
  return {
    size: limit + 1,
    sort: [{ createdAt: order === "newest" ? "desc" : "asc" }, { id: "asc" }],
    ...(after === undefined ? {} : { search_after: [after.createdAt, after.id] }),
  };
}

/** All of it filters: nothing is scored. */
function filterOf({ namespace, all, any, createdAt, completedAt, values }: IndexQuery): object {
  const filter: object[] = [
    { term: { namespace } },
    ...all.map((term) => ({ term: { terms: term } })),
    ...any.map((some) => ({ terms: { terms: some } })),
    ...boundsOf("createdAt", createdAt),
    ...boundsOf("completedAt", completedAt),
    ...values.map(({ path, from, to }) => ({
      range: { values: { gte: valueTerm(path, from), lte: valueTerm(path, to) } },
    })),
  ];
  return { bool: { filter } };
}

function boundsOf(field: string, { above, below }: SearchBounds): readonly object[] {
  if (above === undefined && below === undefined) return [];
  return [
    {
      range: {
        [field]: { ...(above === undefined ? {} : { gt: above }), ...(below === undefined ? {} : { lt: below }) },
      },
    },
  ];
}

function countsOf(facets: readonly SearchFacet[]): object {
  const order = [{ _count: "desc" }, { _key: "asc" }];
  // Each shard gives more than are wanted, so that what they give together is right.
  const terms = (facet: SearchFacet): object => ({
    field: facetField(facet),
    size: mostFacetValues,
    shard_size: 5_000,
    order,
  });
  return Object.fromEntries(facets.map((facet) => [facet, { terms: terms(facet) }]));
}

function facetCounts(aggregation: any): readonly FacetCount[] {
  const buckets = (aggregation?.buckets ?? []) as readonly { readonly key: string; readonly doc_count: number }[];
  return buckets.map(({ key, doc_count: count }) => ({ value: key, count }));
}
