import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  type IndexQuery,
  type Runtime,
  type SearchDocument,
  type SearchFacet,
  searchFacets,
  type SearchHit,
  type SearchIndex,
} from "../../../providers/index.ts";
import { parseSearch } from "../../../search/parse.ts";
import { indexQuery, type SearchQuery } from "../../../search/query.ts";
import { byCodePoints } from "../../../search/terms.ts";
import { type ConformanceHarness, declareCase, testFunctionsOf } from "../harness.ts";
import { corpus, documentOf, type Specimen } from "./corpus.ts";
import { hostileSpecimens } from "./hostile-specimens.ts";
import { queryCases } from "./queries.ts";

export interface SearchHarness extends ConformanceHarness {
  /** Documents of random hostile data in the case about them. Default 300. */
  readonly hostileDocuments?: number;
}

/**
 * Declares the cases that every `SearchIndex` has to pass, as tests of the runner. Call it from a test file.
 *
 * `create` gives a provider whose index is empty.
 */
export function searchConformance(harness: SearchHarness): void {
  const test = testFunctionsOf(harness);
  const it = (claim: string, body: (scene: Scene) => Promise<void>): void => {
    declareCase(harness, test, claim, async ({ provider, runtime, again }) => {
      ok(provider.search, "the provider has a search index");
      await provider.search.attach("store");
      const reopened = again && (async () => (await again()).search);
      await body(new Scene(provider.search, runtime, reopened));
    });
  };
  test.describe(`${harness.name}: search`, () => {
    queryingCases(it);
    writingCases(it);
    countingCases(it);
    hostileCases(it, harness.hostileDocuments ?? 300);
    if (harness.reopen !== undefined) reopeningCases(it);
  });
}

type Declare = (claim: string, body: (scene: Scene) => Promise<void>) => void;

class Scene {
  readonly index: SearchIndex;
  readonly runtime: Runtime;
  readonly again: (() => Promise<SearchIndex | undefined>) | undefined;
  #revision = 0;

  constructor(index: SearchIndex, runtime: Runtime, again: Scene["again"]) {
    this.index = index;
    this.runtime = runtime;
    this.again = again;
  }

  /** Writes specimens, none of which may be refused, and makes them visible. */
  async write(specimens: readonly Specimen[]): Promise<void> {
    for (let start = 0; start < specimens.length; start += 100) {
      const changes = specimens.slice(start, start + 100).map((specimen) => {
        this.#revision += 1;
        return { run: specimen.run, revision: this.#revision, document: documentOf(specimen) };
      });
      const results = await this.index.write(changes);
      strictEqual(results.length, changes.length);
      for (const result of results) strictEqual(result.outcome, "written", JSON.stringify(result));
    }
    await this.index.refresh();
  }

  async writeOne(run: number, revision: number, document: SearchDocument | null): Promise<string | undefined> {
    const [result] = await this.index.write([{ run, revision, document }]);
    await this.index.refresh();
    return result?.outcome;
  }

  async find(query: string | SearchQuery, limit = 1_000, namespace = "default"): Promise<readonly string[]> {
    const { hits } = await this.index.find(compiled(query, namespace), { order: orderOf(query), limit });
    return hits.map(({ id }) => id);
  }
}

function compiled(query: string | SearchQuery, namespace = "default"): IndexQuery {
  return indexQuery(namespace, typeof query === "string" ? parseSearch(query) : query);
}

function orderOf(query: string | SearchQuery): "newest" | "oldest" {
  return (typeof query === "string" ? parseSearch(query) : query).sort ?? "newest";
}

/** What a query is to find, in its order. */
function expected(specimens: readonly Specimen[], order: "newest" | "oldest"): readonly string[] {
  return specimens
    .toSorted(
      (a, b) =>
        (order === "newest" ? b.createdAt - a.createdAt : a.createdAt - b.createdAt) || byCodePoints(a.id, b.id),
    )
    .map(({ id }) => id);
}

function queryingCases(it: Declare): void {
  it(`answers ${queryCases.length} queries with the right ids in the right order`, async (scene) => {
    await scene.write(corpus);
    for (const { query, finds } of queryCases)
      deepStrictEqual(await scene.find(query), expected(corpus.filter(finds), orderOf(query)), JSON.stringify(query));
  });

  it("pages through all that matches, each once, in both orders and among equal times", async (scene) => {
    await scene.write(corpus);
    const equals = { createdAt: 5_000, namespace: "equal" };
    await scene.write(corpus.map((one) => ({ ...one, ...equals, run: one.run + 1_000 })));
    for (const [namespace, specimens] of [
      ["default", corpus],
      ["equal", corpus.map((one) => ({ ...one, ...equals }))],
    ] as const) {
      for (const order of ["newest", "oldest"] as const) {
        for (const limit of [1, 7, 60, 120]) {
          const found = await pages(scene.index, compiled("lazy", namespace), order, limit);
          const matching = specimens.filter(({ data }) => data["note"] === "lazy dog");
          deepStrictEqual(
            found.map(({ id }) => id),
            expected(matching, order),
            `${namespace}, ${order}, ${limit} a page`,
          );
        }
      }
    }
  });

  it("goes on after a place whose workflow is gone", async (scene) => {
    await scene.write(corpus.slice(0, 12));
    const query = compiled("");
    const first = await scene.index.find(query, { order: "newest", limit: 5 });
    const last = first.hits.at(-1);
    ok(last !== undefined && first.more);
    await scene.writeOne(last.run, 1_000, null);
    const rest = await scene.index.find(query, { order: "newest", limit: 100, after: last });
    deepStrictEqual(
      rest.hits.map(({ id }) => id),
      expected(corpus.slice(0, 12), "newest").slice(5),
    );
    strictEqual(rest.more, false);
  });

  it("finds only what is of the namespace", async (scene) => {
    await scene.write([specimenOf({ run: 1, namespace: "a" }), specimenOf({ run: 2, namespace: "b", id: "other" })]);
    deepStrictEqual(await scene.find("lazy", 10, "a"), ["wf"]);
    deepStrictEqual(await scene.find("lazy", 10, "b"), ["other"]);
    deepStrictEqual(await scene.find("lazy", 10, "A"), []);
  });
}

async function pages(
  index: SearchIndex,
  query: IndexQuery,
  order: "newest" | "oldest",
  limit: number,
): Promise<readonly SearchHit[]> {
  const hits: SearchHit[] = [];
  for (let more = true; more;) {
    const last = hits.at(-1);
    const page = await index.find(query, { order, limit, ...(last === undefined ? {} : { after: last }) });
    ok(page.hits.length === limit || !page.more, "a page before the last is full");
    hits.push(...page.hits);
    more = page.more;
  }
  return hits;
}

function writingCases(it: Declare): void {
  it("finds what a document says last, and what it said before no more", async (scene) => {
    await scene.write([specimenOf({ run: 1, data: { note: "apple" }, status: "waiting" })]);
    await scene.write([specimenOf({ run: 1, data: { note: "pear", n: 7 }, status: "failed" })]);
    deepStrictEqual(await scene.find("apple"), []);
    deepStrictEqual(await scene.find("status:waiting"), []);
    deepStrictEqual(await scene.find("pear status:failed"), ["wf"]);
    deepStrictEqual(await scene.find({ data: { n: { from: 7 } } }), ["wf"]);
    deepStrictEqual(await scene.index.count(compiled(""), ["status"]), {
      total: 1,
      facets: { status: [{ value: "failed", count: 1 }] },
    });
  });

  it("never goes back: what comes late or again changes nothing", async (scene) => {
    const old = documentOf(specimenOf({ run: 1, data: { note: "old" } }));
    const fresh = documentOf(specimenOf({ run: 1, data: { note: "fresh" } }));
    strictEqual(await scene.writeOne(1, 5, fresh), "written");
    strictEqual(await scene.writeOne(1, 4, old), "stale");
    strictEqual(await scene.writeOne(1, 5, old), "stale");
    deepStrictEqual([await scene.find("fresh"), await scene.find("old")], [["wf"], []]);
    strictEqual(await scene.writeOne(1, 6, null), "written");
    strictEqual(await scene.writeOne(1, 5, fresh), "stale");
    deepStrictEqual(await scene.find(""), []);
    strictEqual(await scene.writeOne(1, 7, old), "written");
    deepStrictEqual(await scene.find("old"), ["wf"]);
  });

  it("takes the deletion of what it never had, an empty batch, and one run twice in a batch", async (scene) => {
    deepStrictEqual(await scene.index.write([]), []);
    strictEqual(await scene.writeOne(9, 1, null), "written");
    const one = documentOf(specimenOf({ run: 1, data: { note: "one" } }));
    const two = documentOf(specimenOf({ run: 1, data: { note: "two" } }));
    const results = await scene.index.write([
      { run: 1, revision: 1, document: one },
      { run: 1, revision: 2, document: two },
    ]);
    deepStrictEqual(
      results.map(({ outcome }) => outcome),
      ["written", "written"],
    );
    await scene.index.refresh();
    deepStrictEqual([await scene.find("one"), await scene.find("two")], [[], ["wf"]]);
  });

  it("keeps apart two workflows that have had one id", async (scene) => {
    await scene.write([specimenOf({ run: 1, createdAt: 1_000 }), specimenOf({ run: 2, createdAt: 2_000 })]);
    const { hits } = await scene.index.find(compiled(""), { order: "newest", limit: 10 });
    deepStrictEqual(hits, [
      { run: 2, id: "wf", createdAt: 2_000 },
      { run: 1, id: "wf", createdAt: 1_000 },
    ]);
  });

  it("forgets everything, revisions included, and is usable at once", async (scene) => {
    await scene.write(corpus.slice(0, 20));
    await scene.index.clear();
    await scene.index.attach("store");
    deepStrictEqual(await scene.find(""), []);
    strictEqual(await scene.writeOne(1, 1, documentOf(specimenOf({ run: 1 }))), "written");
    deepStrictEqual(await scene.find(""), ["wf"]);
  });
}

function countingCases(it: Declare): void {
  it("counts what matches, by every facet", async (scene) => {
    await scene.write(corpus);
    for (const query of ["", "lazy", "status:failed,waiting", "nothing at all", "---"]) {
      const matching = matchingOf(query);
      const counts = await scene.index.count(compiled(query), searchFacets);
      strictEqual(counts.total, matching.length, query);
      for (const facet of searchFacets) deepStrictEqual(counts.facets[facet], counted(matching, facet), facet);
    }
    deepStrictEqual(await scene.index.count(compiled(""), []), { total: corpus.length, facets: {} });
  });

  it("gives the 100 most frequent values of a facet, of equals the lowest", async (scene) => {
    const many = Array.from({ length: 130 }, (_, n) =>
      specimenOf({ run: n + 1, id: `id-${n}`, tags: n % 2 === 0 ? [`tag-${n}`, "even"] : [`tag-${n}`] }),
    );
    await scene.write(many);
    const { facets } = await scene.index.count(compiled(""), ["tag"]);
    deepStrictEqual(facets.tag, countValues(many.map(({ tags }) => tags)));
    strictEqual(facets.tag.length, 100);
  });
}

function matchingOf(query: string): readonly Specimen[] {
  const known = queryCases.find((each) => each.query === query);
  if (known !== undefined) return corpus.filter(known.finds);
  if (query === "lazy") return corpus.filter(({ data }) => data["note"] === "lazy dog");
  return corpus.filter(({ status }) => query.includes(status));
}

function counted(specimens: readonly Specimen[], facet: SearchFacet): readonly object[] {
  return countValues(
    specimens.map((of) => {
      switch (facet) {
        case "definition":
          return [of.definitionId];
        case "version":
          return [`${of.definitionId}@${of.version}`];
        case "status":
          return [of.status];
        case "tag":
          return of.tags;
        case "step":
          return of.steps.map(({ id }) => id);
        case "waitingFor":
          return of.waitingFor.map(({ event }) => event);
      }
    }),
  );
}

function countValues(lists: readonly (readonly string[])[]): readonly object[] {
  const counts = Map.groupBy(lists.flat(), (value) => value);
  return [...counts]
    .map(([value, all]) => ({ value, count: all.length }))
    .sort((a, b) => b.count - a.count || byCodePoints(a.value, b.value))
    .slice(0, 100);
}

function hostileCases(it: Declare, documents: number): void {
  it(`takes ${documents} documents of random hostile data: refuses none, loses none`, async (scene) => {
    const specimens = hostileSpecimens(documents);
    await scene.write(specimens);
    const found = await pages(scene.index, compiled(""), "oldest", 1_000);
    deepStrictEqual(found.map(({ run }) => run).sort(byNumber), specimens.map(({ run }) => run).sort(byNumber));
    // Each is found by what it alone has, and by its tag, whatever that looks like.
    for (const { run, tags } of specimens.slice(0, 200)) {
      const [hit, ...others] = (await scene.index.find(compiled(`only${run}x`), { order: "newest", limit: 2 })).hits;
      deepStrictEqual([hit?.run, others.length], [run, 0]);
      const [tag] = tags;
      if (tag === undefined) continue;
      const tagged = await pages(scene.index, compiled({ tag }), "newest", 1_000);
      deepStrictEqual(
        tagged.map((each) => each.run).sort(byNumber),
        specimens.filter((each) => each.tags.includes(tag)).map((each) => each.run),
        JSON.stringify(tag),
      );
    }
  });
}

function reopeningCases(it: Declare): void {
  it("has what was written when it is opened again", async (scene) => {
    await scene.write(corpus.slice(0, 10));
    const index = await scene.again?.();
    ok(index);
    strictEqual(index.name, scene.index.name);
    strictEqual(await index.attach("store"), await scene.index.attach("store"));
    const { hits } = await index.find(compiled(""), { order: "newest", limit: 100 });
    deepStrictEqual(
      hits.map(({ id }) => id),
      expected(corpus.slice(0, 10), "newest"),
    );
  });
}

function byNumber(a: number, b: number): number {
  return a - b;
}

function specimenOf(over: Partial<Specimen> & { readonly run: number }): Specimen {
  return {
    namespace: "default",
    id: "wf",
    definitionId: "order",
    version: 1,
    status: "completed",
    tags: [],
    createdAt: 1_000,
    completedAt: null,
    data: { note: "lazy dog" },
    errorMessage: undefined,
    steps: [],
    waitingFor: [],
    ...over,
  };
}
