import type Database from "better-sqlite3";
import { expect, it } from "vitest";
import { open, row, temporaryFile, workflow } from "./stage.ts";

it("lists what is suspended by an index of its own, and what has ended by theirs", async () => {
  let ours: Database.Database | undefined;
  const texts: string[] = [];
  const { store, hold } = await open(temporaryFile(), {
    onConnect: (db) => {
      ours = db;
      const prepare = db.prepare.bind(db);
      db.prepare = (text: string) => {
        texts.push(text);
        return prepare(text);
      };
    },
  });
  const runs = await hold(6);
  await store.writeRows(
    (["suspended", "waiting", "failed", "completed", "terminated", "suspended"] as const).map((status, place) => ({
      run: runs[place] ?? 0,
      claim: 1,
      row: row({ status, completedAt: place }),
    })),
  );
  await store.create([workflow({ namespace: "other" })]);

  const indexesOf = async (status: "suspended" | "failed" | "waiting"): Promise<unknown[]> => {
    texts.length = 0;
    const { items } = await store.list({ namespace: "default", status }, { limit: 9 });
    expect(items.map((item) => item.status)).toEqual(items.map(() => status));
    expect(items.length).toBe(await store.count({ namespace: "default", status }));
    const text = texts.find((one) => one.startsWith('select "run"')) ?? "";
    const values = Array.from(text.matchAll(/\?/g), () => 1);
    const plan = (ours?.prepare(`EXPLAIN QUERY PLAN ${text}`).all(...values) ?? []) as { readonly detail: string }[];
    return plan.map(({ detail }) => /INDEX (\w+)/.exec(detail)?.[1] ?? detail);
  };
  expect(await indexesOf("suspended")).toEqual(["wfe_workflows_suspended"]);
  expect(await indexesOf("failed")).toEqual(["wfe_workflows_ended"]);
  expect(await indexesOf("waiting")).toEqual(["wfe_workflows_live"]);
  expect(await store.count({ namespace: "default" })).toBe(6);
});
