import { Client } from "@opensearch-project/opensearch";
import type { Provider, SearchChange, SearchDocument, SearchIndex } from "@wfe/core/providers";
import { testRuntime } from "@wfe/core/testing";
import { afterAll, describe, expect, it } from "vitest";
import { findOpenSearch } from "../../../tests/services/opensearch.ts";
import { opensearch } from "../src/index.ts";
import { certificate, guardedDoor } from "./guarded-door.ts";

const { available, service } = await findOpenSearch();

describe.skipIf(!available)("a cluster", async () => {
  const server = await service?.start();
  if (server === undefined) return;
  const opened: Provider[] = [];
  let names = 0;
  afterAll(async () => {
    for (const provider of opened) await provider.close();
    await server[Symbol.asyncDispose]();
  });
  const nextName = (): string => `cluster-${++names}`;
  const open = async (provider: Provider): Promise<SearchIndex> => {
    await provider.open({ runtime: testRuntime() });
    opened.push(provider);
    if (provider.search === undefined) throw new Error("it brings search");
    return provider.search;
  };

  it("gets a template, and an index behind an alias, once, whoever attaches", async () => {
    const index = nextName();
    const hosts = await Promise.all([1, 2, 3].map(() => open(opensearch(server.url, { index }))));
    const made = await Promise.all(hosts.map((host) => host.attach("store")));
    expect(new Set(made).size).toBe(1);
    expect(await hosts[0]?.attach("store")).toBe(made[0]);
    expect(Object.keys(await server.request("GET", `/${index}/_alias`))).toEqual([`${index}-000001`]);
    const { index_templates: templates } = await server.request("GET", `/_index_template/${index}`);
    expect(templates[0].index_template.index_patterns).toEqual([`${index}-*`]);
    const mapping = await server.request("GET", `/${index}/_mapping`);
    expect(mapping[`${index}-000001`].mappings).toMatchObject({
      dynamic: "strict",
      _meta: { wfe: { store: "store" } },
    });
  });

  it("keeps the fields that it has, whatever data is written", async () => {
    const index = nextName();
    const search = await open(opensearch(server.url, { index }));
    await search.attach("store");
    const fields = async (): Promise<number> =>
      Object.keys(Object.values<any>(await server.request("GET", `/${index}/_mapping`))[0].mappings.properties).length;
    const before = await fields();
    const terms = Array.from({ length: 2_000 }, (_, n) => `data=field-${n}.x\u001f${n}`);
    await search.write([change(1, { terms, values: terms.slice(0, 100).map((path, value) => ({ path, value })) })]);
    expect(await fields()).toBe(before);
  });

  it("mixes no two stores", async () => {
    const index = nextName();
    await (await open(opensearch(server.url, { index }))).attach("one");
    const other = await open(opensearch(server.url, { index }));
    await expect(other.attach("two")).rejects.toThrow(/is not this store's: give each store a name of its own/);
    const strange = nextName();
    await server.request("POST", `/${strange}/_doc?refresh=true`, { not: "ours" });
    await expect((await open(opensearch(server.url, { index: strange }))).attach("one")).rejects.toThrow(
      /is not this store's/,
    );
  });

  it("is made anew where an older WFE has made the index, and refused where a newer one has", async () => {
    const index = nextName();
    const search = await open(opensearch(server.url, { index }));
    const made = await search.attach("store");
    await search.write([change(1)]);
    const meta = (format: number): object => ({ _meta: { wfe: { format, store: "store", made } } });
    await server.request("PUT", `/${index}-000001/_mapping`, meta(0));
    expect(await search.attach("store")).not.toBe(made);
    expect(Object.keys(await server.request("GET", `/${index}/_alias`))).toEqual([`${index}-000002`]);
    await server.request("PUT", `/${index}-000002/_mapping`, meta(99));
    await expect(search.attach("store")).rejects.toMatchObject({ code: "SEARCH_NEWER_FORMAT" });
  });

  it("makes no index by itself where somebody has deleted ours: it is attached and filled anew", async () => {
    const index = nextName();
    const search = await open(opensearch(server.url, { index }));
    const made = await search.attach("store");
    await server.request("DELETE", `/${index}-000001`);
    await expect(search.write([change(1)])).rejects.toMatchObject({ code: "SEARCH_NO_INDEX", transient: true });
    await expect(search.find(everything, { order: "newest", limit: 1 })).rejects.toMatchObject({
      code: "SEARCH_NO_INDEX",
    });
    // For a deletion OpenSearch does make one, of the alias' own name: it goes again.
    await search.write([{ run: 1, revision: 1, document: null }]);
    await expect(search.write([change(1)])).rejects.toMatchObject({ code: "SEARCH_NO_INDEX" });
    expect(await search.attach("store")).not.toBe(made);
    expect(await search.write([change(1)])).toEqual([{ outcome: "written" }]);
    expect(Object.keys(await server.request("GET", `/${index}/_alias`))).toEqual([`${index}-000001`]);
  });

  it("that is full is told apart from a document that is refused", async () => {
    const index = nextName();
    const search = await open(opensearch(server.url, { index, retries: 0 }));
    await search.attach("store");
    await server.request("PUT", `/${index}/_settings`, { "index.blocks.write": true });
    await expect(search.write([change(1)])).rejects.toMatchObject({ code: "SEARCH_BLOCKED", transient: true });
    await server.request("PUT", `/${index}/_settings`, { "index.blocks.write": false });
    const broken = { ...document(), createdAt: "yesterday" as unknown as number };
    const [refused, written] = await search.write([{ run: 2, revision: 1, document: broken }, change(3)]);
    expect(refused?.outcome).toBe("refused");
    expect(written).toEqual({ outcome: "written" });
  });

  it("takes a batch of any size in parts", async () => {
    const search = await open(opensearch(server.url, { index: nextName() }));
    await search.attach("store");
    const terms = Array.from({ length: 2_000 }, (_, n) => `${n}`.padStart(120, "x"));
    const results = await search.write(Array.from({ length: 40 }, (_, n) => change(n + 1, { terms })));
    expect(results.every(({ outcome }) => outcome === "written")).toBe(true);
    await search.refresh();
    expect((await search.count(everything, [])).total).toBe(40);
  });

  it("is reached by TLS with a login, and says what is wrong with either", async () => {
    const login = { username: "wfe", password: "päss:word" };
    await using door = await guardedDoor(server.port, login);
    const index = nextName();
    const good = await open(opensearch(door.url, { index, ...login, tls: { ca: certificate } }));
    const made = await good.attach("store");
    expect(await good.write([change(1)])).toEqual([{ outcome: "written" }]);

    const loose = await open(opensearch(door.url, { index, ...login, tls: { rejectUnauthorized: false } }));
    expect(await loose.attach("store")).toBe(made);

    const stranger = await open(opensearch(door.url, { index, ...login }));
    await expect(stranger.attach("store")).rejects.toThrow(
      /TLS refuses the connection .* give the certificate authority/,
    );
    const wrong = await open(
      opensearch(door.url, { index, username: "wfe", password: "no", tls: { ca: certificate } }),
    );
    await expect(wrong.attach("store")).rejects.toMatchObject({ code: "SEARCH_LOGIN" });
    const none = await open(opensearch(door.url, { index, tls: { ca: certificate } }));
    await expect(none.attach("store")).rejects.toThrow(/wants a login, or refuses this one/);
    const headers = { authorization: `Basic ${Buffer.from("wfe:päss:word").toString("base64")}` };
    const byHeader = await open(opensearch(door.url, { index, headers, tls: { ca: certificate } }));
    expect(await byHeader.attach("store")).toBe(made);
  });

  it("may be given as a client, which stays open", async () => {
    const client = new Client({ node: server.url });
    const provider = opensearch(client, { index: nextName() });
    await provider.open({ runtime: testRuntime() });
    expect(await provider.search?.attach("store")).toBeTypeOf("string");
    await provider.close();
    expect((await client.info()).statusCode).toBe(200);
    await client.close();
  });

  it("that does not answer is told in time", async () => {
    const search = await open(opensearch(server.url, { index: nextName(), requestTimeout: "300ms", retries: 0 }));
    server.freeze();
    try {
      await expect(search.find(everything, { order: "newest", limit: 1 })).rejects.toMatchObject({
        code: "SEARCH_TIMEOUT",
        transient: true,
      });
    } finally {
      server.thaw();
    }
  });
});

const everything = { namespace: "default", all: [], any: [], createdAt: {}, completedAt: {}, values: [] } as const;

function document(over: Partial<SearchDocument> = {}): SearchDocument {
  return {
    namespace: "default",
    id: "w",
    createdAt: 1_000,
    completedAt: null,
    terms: ["word"],
    values: [],
    facets: { definition: [], version: [], status: [], tag: [], step: [], waitingFor: [] },
    ...over,
  };
}

function change(run: number, over: Partial<SearchDocument> = {}): SearchChange {
  return { run, revision: run, document: document({ id: `w-${run}`, ...over }) };
}
