import { InvalidOptionError, SearchUnavailableError } from "../../errors.ts";
import { finalStatuses, type WorkflowStatus } from "../../providers/records.ts";
import { type FacetCount, type SearchFacet, searchFacets } from "../../providers/search-index.ts";
import { parseSearch } from "../../search/parse.ts";
import { cursorOf, placeOf } from "../../search/place.ts";
import { indexQuery, type SearchQuery } from "../../search/query.ts";
import type { SearchFeed } from "../core/host-core.ts";
import { noteRebuild, readNote } from "../core/search-note.ts";
import type { ClientShared } from "./client-shared.ts";
import { checkObject, refuseUnknown } from "./host-options.ts";
import { checkStatus } from "./list.ts";
import { checkKey, checkName, describeValue } from "./names.ts";
import { checkPage } from "./pages.ts";
import { summaryOf } from "./read-workflow.ts";
import { checkTime } from "./start.ts";
import type { Page, PageOptions, WorkflowSummary } from "./workflow-views.ts";

/** A query, and which page of what it finds. */
export interface SearchOptions extends SearchQuery, PageOptions {}

/** How many workflows match, and how many of them have each value of what was asked for. */
export interface SearchCount {
  readonly total: number;
  /** The most frequent values of each facet, at most 100. A `version` is written `order@2`. */
  readonly by: Readonly<Partial<Record<SearchFacet, readonly FacetCount[]>>>;
}

const stepStatuses = [
  "pending",
  "running",
  "sleeping",
  "waiting",
  "completed",
  "failed",
  "skipped",
  "cancelled",
  "compensated",
] as const;

const fields: Readonly<Record<keyof SearchQuery, true>> = {
  words: true,
  definitionId: true,
  version: true,
  status: true,
  tag: true,
  step: true,
  stepStatus: true,
  waitingForEvent: true,
  waitingForKey: true,
  createdAfter: true,
  createdBefore: true,
  completedAfter: true,
  completedBefore: true,
  data: true,
  sort: true,
};

/** A page of what an index has found, as the store has it now. */
export async function searchWorkflows(
  shared: ClientShared,
  namespace: string,
  search: string | SearchOptions,
  page: PageOptions,
): Promise<Page<WorkflowSummary>> {
  const feed = await fed(shared, "searchWorkflows");
  const { query, limit, cursor } = readSearch("searchWorkflows", search, page);
  const found = await feed.index.find(indexQuery(namespace, query), {
    order: query.sort ?? "newest",
    limit,
    ...(cursor === undefined ? {} : { after: placeOf(cursor) }),
  });
  const { persistence } = shared.core.providers;
  const ids = found.hits.map(({ id }) => id);
  const rows = ids.length === 0 ? [] : await shared.store.persistently(() => persistence.find(namespace, ids));
  const items = found.hits.flatMap(({ run }, number) => {
    const row = rows[number];
    // Deleted since it was indexed, and perhaps another one has its id.
    return row?.run === run ? [summaryOf(row)] : [];
  });
  const last = found.hits.at(-1);
  return { items, cursor: found.more && last !== undefined ? cursorOf(last) : undefined };
}

/** Counts what an index finds. */
export async function countSearch(
  shared: ClientShared,
  namespace: string,
  search: string | SearchQuery,
  facets: readonly SearchFacet[],
): Promise<SearchCount> {
  const feed = await fed(shared, "countSearch");
  const { query } = readSearch("countSearch", search, {});
  if (!Array.isArray(facets)) throw new InvalidOptionError(`facets must be an array, got ${describeValue(facets)}`);
  for (const facet of facets as readonly unknown[]) {
    if (!searchFacets.some((known) => known === facet))
      throw new InvalidOptionError(`a facet must be one of ${searchFacets.join(", ")}, got ${describeValue(facet)}`);
  }
  const counts = await feed.index.count(indexQuery(namespace, query), [...new Set(facets)]);
  return { total: counts.total, by: counts.facets };
}

/** Empties the index and notes that everything is to be written to it again, by a host that runs. */
export async function reindex(shared: ClientShared): Promise<void> {
  const feed = shared.core.providers.search;
  if (feed === undefined) throw noIndex(shared, "reindex");
  const { store } = (await readNote(feed)) ?? (await noteRebuild(shared.core, feed, null));
  await feed.index.attach(store);
  await feed.index.clear();
  // After that: what is written from the note on stays.
  await noteRebuild(shared.core, feed, await feed.index.attach(store));
}

async function fed(shared: ClientShared, method: string): Promise<SearchFeed> {
  const feed = shared.core.providers.search;
  if (feed === undefined) throw noIndex(shared, method);
  const note = await shared.store.persistently(() => readNote(feed));
  if (note === undefined || note.index === feed.index.name) return feed;
  throw new SearchUnavailableError(
    `the hosts of this store feed the search index \`${note.index}\`, and this host has \`${feed.index.name}\`: give every host the same providers, or move to this one with \`reindex()\``,
  );
}

function noIndex({ core }: ClientShared, method: string): SearchUnavailableError {
  const names = core.providers.list.map(({ name }) => `\`${name}\``).join(", ");
  return new SearchUnavailableError(
    `\`${method}\` needs a search index, and none of the providers (${names}) brings one: leave \`search: false\` away, or add one such as \`opensearch("http://...")\``,
  );
}

interface ReadSearch {
  readonly query: SearchQuery;
  readonly limit: number;
  readonly cursor: string | undefined;
}

function readSearch(method: string, search: string | SearchOptions, page: PageOptions): ReadSearch {
  if (typeof search === "string") return { query: checkQuery(parseSearch(search)), ...checkPage(page) };
  checkObject(`the query of \`${method}\``, search);
  const paged = method === "searchWorkflows" ? ["limit", "cursor"] : [];
  refuseUnknown(`the query of \`${method}\``, search, [...Object.keys(fields), ...paged]);
  const { limit, cursor, ...query } = search;
  const given = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { cursor }) };
  return { query: checkQuery(query), ...checkPage({ ...given, ...page }) };
}

function checkQuery(query: SearchQuery): SearchQuery {
  const { words, definitionId, version, status, tag, step, stepStatus, waitingForEvent, waitingForKey } = query;
  if (words !== undefined && typeof words !== "string")
    throw new InvalidOptionError(`\`words\` must be a text, got ${describeValue(words)}`);
  if (definitionId !== undefined) checkName("`definitionId`", definitionId);
  if (version !== undefined && !Number.isInteger(version))
    throw new InvalidOptionError(`\`version\` must be a whole number, got ${describeValue(version)}`);
  const statuses: readonly WorkflowStatus[] | undefined = status === undefined ? undefined : checkStatus(status);
  if (statuses?.length === 0)
    throw new InvalidOptionError(
      `\`status\` is an empty list: leave it out, or name some of ${finalStatuses.join(", ")}...`,
    );
  for (const each of tag === undefined ? [] : Array.isArray(tag) ? tag : [tag]) checkName("`tag`", each);
  if (step !== undefined) checkName("`step`", step);
  if (stepStatus !== undefined && !stepStatuses.some((known) => known === stepStatus))
    throw new InvalidOptionError(
      `\`stepStatus\` must be one of ${stepStatuses.join(", ")}, got ${describeValue(stepStatus)}`,
    );
  if (waitingForEvent !== undefined) checkName("`waitingForEvent`", waitingForEvent);
  if (waitingForKey !== undefined) checkKey("`waitingForKey`", waitingForKey);
  for (const name of ["createdAfter", "createdBefore", "completedAfter", "completedBefore"] as const)
    if (query[name] !== undefined) checkTime(name, query[name]);
  if (query.data !== undefined) checkObject("`data`", query.data);
  if (query.sort !== undefined && query.sort !== "newest" && query.sort !== "oldest")
    throw new InvalidOptionError(`\`sort\` must be "newest" or "oldest", got ${describeValue(query.sort)}`);
  return query;
}
