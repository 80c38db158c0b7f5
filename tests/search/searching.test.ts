import { SearchUnavailableError, type WorkflowHost } from "@wfe/core";
import { TestClock } from "@wfe/core/testing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { approved, hostOn, indexed, moodyIndex, order, places } from "./places.ts";

for (const place of places) {
  describe(`searching on ${place.name}`, () => {
    let clock: TestClock;
    let store: ReturnType<typeof place.open>;
    let host: WorkflowHost;
    beforeEach(async () => {
      clock = new TestClock();
      store = place.open();
      host = hostOn([store.connect()], { clock });
      await host.start();
    });
    afterEach(async () => {
      await host.stop();
      await store.remove();
    });

    const ids = async (query: Parameters<WorkflowHost["searchWorkflows"]>[0]): Promise<readonly string[]> =>
      (await host.searchWorkflows(query)).items.map(({ id }) => id);

    it("finds workflows by their data, errors, steps, tags and what they wait for", async () => {
      await host.startWorkflow(order, { customer: "Ann Lee", amount: 5 }, { id: "small", tags: ["vip"] });
      await host.startWorkflow(order, { customer: "Bob", amount: 500 }, { id: "large" });
      await host.startWorkflow(order, { customer: "Ann Çelik", amount: 5_000 }, { id: "huge" });
      await indexed(host, clock);
      expect(await ids("ann")).toEqual(["huge", "small"]);
      expect(await ids("ÇELIK ann")).toEqual(["huge"]);
      expect(await ids("declined")).toEqual(["huge"]);
      expect(await ids("rangeerror")).toEqual(["huge"]);
      expect(await ids("charge card status:completed")).toEqual(["small"]);
      expect(await ids("ch 500")).toEqual(["large"]);
      expect(await ids("vip")).toEqual(["small"]);
      expect(await ids("tag:vip")).toEqual(["small"]);
      expect(await ids("waiting:order.approved key:Bob")).toEqual(["large"]);
      expect(await ids({ data: { amount: { from: 500 } } })).toEqual(["huge", "large"]);
      expect(await ids({ step: "Charge the card", stepStatus: "failed" })).toEqual(["huge"]);
      expect(await ids("definition:order version:2")).toEqual(["huge", "large", "small"]);
      expect(await ids("definition:order version:1")).toEqual([]);
      expect(await ids("nobody")).toEqual([]);
    });

    it("gives what it finds as the store has it now, and follows what happens", async () => {
      await host.startWorkflow(order, { customer: "Bob", amount: 500 }, { id: "large" });
      await indexed(host, clock);
      const [before] = (await host.searchWorkflows("bob")).items;
      expect(before).toMatchObject({ id: "large", status: "waiting", definitionId: "order", version: 2 });
      await host.publishEvent(approved, "Bob", { by: "eve" });
      await clock.settle();
      // The index has not heard of it yet; the store has.
      expect((await host.searchWorkflows("status:waiting")).items[0]?.status).toBe("completed");
      await indexed(host, clock);
      expect(await ids("status:waiting")).toEqual([]);
      expect(await ids("status:completed bob")).toEqual(["large"]);
    });

    it("pages, counts by facet, and keeps namespaces apart", async () => {
      for (let n = 0; n < 25; n++) {
        const tags = n % 5 === 0 ? ["fifth"] : [];
        await host.startWorkflow(order, { customer: `c ${n}`, amount: n }, { id: `w-${n}`, tags });
        if (n % 3 === 0) await clock.advance(10);
      }
      await host.in("other").startWorkflow(order, { customer: "c", amount: 5_000 }, { id: "w-1" });
      await indexed(host, clock);
      const listed = await ids({ words: "c" });
      expect(listed).toHaveLength(25);
      const found: string[] = [];
      for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
        const page = await host.searchWorkflows("c", { limit: 7, ...(cursor === undefined ? {} : { cursor }) });
        found.push(...page.items.map(({ id }) => id));
        cursor = page.cursor;
      }
      expect(found).toEqual(listed);
      expect(await ids({ words: "c", sort: "oldest", limit: 2 })).toEqual(["w-0", "w-1"]);
      expect(await host.countSearch("c", ["status", "tag", "version", "step"])).toEqual({
        total: 25,
        by: {
          status: [{ value: "completed", count: 25 }],
          tag: [{ value: "fifth", count: 5 }],
          version: [{ value: "order@2", count: 25 }],
          step: expect.arrayContaining([{ value: "Charge the card", count: 25 }]),
        },
      });
      expect(await host.in("other").countSearch("declined", ["definition"])).toEqual({
        total: 1,
        by: { definition: [{ value: "order", count: 1 }] },
      });
    });

    it("finds no more what retention has deleted", async () => {
      await host.stop();
      host = hostOn([store.connect()], { clock, retention: { workflows: "1h" } });
      await host.start();
      await host.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "gone" });
      await host.startWorkflow(order, { customer: "Ann", amount: 500 }, { id: "waits" });
      await indexed(host, clock);
      expect(await ids("ann")).toEqual(["gone", "waits"]);
      await clock.advance("2h");
      await indexed(host, clock);
      expect(await ids("ann")).toEqual(["waits"]);
      expect((await host.countSearch("ann")).total).toBe(1);
    });

    it("refuses what it cannot read, and says what to do", async () => {
      const refused: readonly [unknown, RegExp][] = [
        [{ wrods: "x" }, /there is no `wrods`, did you mean `words`\?/],
        [{ status: "lost" }, /`status` must be one or several of/],
        [{ status: [] }, /`status` is an empty list/],
        [{ tag: [""] }, /`tag` must not be blank/],
        [{ version: 1.5 }, /`version` must be a whole number/],
        [{ words: 5 }, /`words` must be a text/],
        [{ step: "a", stepStatus: "lost" }, /`stepStatus` must be one of/],
        [{ createdAfter: new Date("no") }, /`createdAfter` must be a valid date/],
        [{ data: [] }, /`data` must be an object/],
        [{ data: { a: Symbol("x") } }, /must be a text, a number/],
        [{ sort: "best" }, /`sort` must be "newest" or "oldest"/],
        [{ limit: 0 }, /`limit` must be a whole number from 1 to 1000/],
        [{ cursor: "x" }, /not one that a search has given/],
        ["status:lost", /`status` must be one or several of/],
        [7, /the query of `searchWorkflows` must be an object/],
      ];
      for (const [query, message] of refused) {
        const search = host.searchWorkflows(query as string);
        await expect(search, JSON.stringify(query)).rejects.toThrow(message);
        await expect(search).rejects.toMatchObject({ code: "INVALID_OPTION" });
      }
      await expect(host.countSearch("", ["colour" as "tag"])).rejects.toThrow(/a facet must be one of/);
    });

    it("rebuilds the index from the store", async () => {
      for (let n = 0; n < 30; n++)
        await host.startWorkflow(order, { customer: `c-${n}`, amount: n * 50 }, { id: `w-${n}` });
      await indexed(host, clock);
      const before = await host.countSearch("", ["status"]);
      await host.reindex();
      expect((await host.health()).search?.rebuilding).toBe(true);
      expect((await host.countSearch("")).total).toBe(0);
      await indexed(host, clock);
      expect(await host.countSearch("", ["status"])).toEqual(before);
      expect((await host.health()).search).toEqual({
        index: place.name,
        state: "indexing",
        pending: 0,
        lagMs: 0,
        rebuilding: false,
        refused: 0,
      });
    });

    it("is fed by one host of many, and by another one when that stops", async () => {
      const second = hostOn([store.connect()], { clock });
      await second.start();
      await clock.advance("10s");
      const states = async (): Promise<unknown[]> =>
        Promise.all([host, second].map(async (each) => (await each.health()).search?.state));
      expect((await states()).toSorted()).toEqual(["indexing", "standby"]);
      const [first] = await states();
      const [leaving, staying] = first === "indexing" ? [host, second] : [second, host];
      await leaving.stop();
      await staying.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "later" });
      await clock.advance("10s");
      await indexed(staying, clock);
      expect((await staying.health()).search?.state).toBe("indexing");
      expect((await staying.searchWorkflows("ann")).items).toHaveLength(1);
      await second.stop();
    });

    it("indexes what was there before there was an index", async () => {
      await host.stop();
      const bare = place.open();
      const without = hostOn([bare.connect({ search: false })], { clock });
      await without.start();
      await without.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "early" });
      await clock.settle();
      await expect(without.searchWorkflows("ann")).rejects.toThrow(SearchUnavailableError);
      await expect(without.searchWorkflows("ann")).rejects.toThrow(/needs a search index, and none of the providers/);
      await expect(without.reindex()).rejects.toThrow(SearchUnavailableError);
      expect((await without.health()).search).toBeUndefined();
      await without.stop();

      host = hostOn([bare.connect()], { clock });
      // Nobody kept for the index what the host without one did.
      expect((await host.health()).search?.pending).toBe(0);
      await host.start();
      await indexed(host, clock);
      expect(await ids("ann")).toEqual(["early"]);
      await host.stop();
      await bare.remove();
    });

    it("indexes what was done while it was switched off", async () => {
      const bare = place.open();
      const first = hostOn([bare.connect()], { clock });
      await first.start();
      await first.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "before" });
      await first.startWorkflow(order, { customer: "Ann", amount: 500 }, { id: "waits" });
      await indexed(first, clock);
      expect((await first.countSearch("ann status:waiting")).total).toBe(1);
      await first.stop();

      // One that runs, and one that only starts workflows.
      const without = hostOn([bare.connect({ search: false })], { clock, retention: { workflows: "30m" } });
      await without.start();
      await clock.advance("2h");
      expect(await without.getWorkflow("before")).toBeUndefined();
      await without.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "meanwhile" });
      await without.publishEvent(approved, "Ann", { by: "Bob" });
      await clock.advance("10s");
      await without.stop();
      const client = hostOn([bare.connect({ search: false })], { clock });
      await client.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "left" });
      await client.stop();

      host = hostOn([bare.connect()], { clock });
      await host.start();
      await indexed(host, clock);
      expect((await ids("ann")).toSorted()).toEqual(["left", "meanwhile", "waits"]);
      expect((await host.countSearch("ann")).total).toBe(3);
      expect((await host.countSearch("ann status:waiting")).total).toBe(0);
      await host.stop();
      await bare.remove();
    });

    it("indexes what was done by a host without one that outlived those with one", async () => {
      const bare = place.open();
      const without = hostOn([bare.connect({ search: false })], { clock });
      await without.start();
      const first = hostOn([bare.connect()], { clock });
      await first.start();
      await indexed(first, clock);
      await first.stop();
      await without.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "late" });
      await clock.advance("10s");
      await without.stop();

      host = hostOn([bare.connect()], { clock });
      await host.start();
      await indexed(host, clock);
      expect(await ids("ann")).toEqual(["late"]);
      await host.stop();
      await bare.remove();
    });

    it("belongs to one index: a host with another one does not feed it, nor search it, until it is moved there", async () => {
      const { provider } = moodyIndex("elsewhere");
      await host.startWorkflow(order, { customer: "Ann", amount: 5 }, { id: "one" });
      await indexed(host, clock);
      const other = hostOn([store.connect(), provider], { clock });
      await other.start();
      await clock.advance("10s");
      expect((await other.health()).search?.state).toBe("other-index");
      await expect(other.searchWorkflows("ann")).rejects.toThrow(
        `the hosts of this store feed the search index \`${place.name}\`, and this host has \`elsewhere\``,
      );
      await other.reindex();
      await clock.advance("10s");
      await indexed(other, clock);
      expect((await other.searchWorkflows("ann")).items).toHaveLength(1);
      expect((await host.health()).search?.state).toBe("other-index");
      await expect(host.searchWorkflows("ann")).rejects.toThrow(SearchUnavailableError);
      await other.stop();
    });
  });
}
