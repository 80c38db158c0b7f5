import { systemRuntime } from "@wfe/core/providers";
import pg from "pg";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgres } from "../src/index.ts";
import { workflow } from "./support/records.ts";
import { schemas, server, url } from "./support/server.ts";

describe.skipIf(server === undefined)("a list", () => {
  it("asks the server as often for many definitions as for one", async () => {
    let asked = 0;
    class Counting extends pg.Client {
      override query(...given: any[]): any {
        asked += 1;
        return Reflect.apply(super.query, this, given);
      }
    }
    const pool = Object.assign(new pg.Pool({ connectionString: url }), { Client: Counting });
    onTestFinished(() => pool.end());
    const provider = postgres(pool, { schema: schemas.take(), notify: false });
    await provider.open({ runtime: systemRuntime() });
    onTestFinished(() => provider.close());
    const { persistence: store } = provider;
    const costs: number[] = [];
    for (const definitions of [1, 40]) {
      await store!.create(
        Array.from({ length: definitions }, (_, n) => workflow({ id: `${definitions}-${n}`, version: n + 1 })),
      );
      asked = 0;
      const { items, cursor } = await store!.list({ namespace: "default" }, { limit: 3 });
      const rest = await store!.list(
        { namespace: "default" },
        { limit: 100, ...(cursor === undefined ? {} : { cursor }) },
      );
      const ids = new Set([...items, ...rest.items].map(({ id }) => id));
      expect(ids.size).toBe(definitions === 1 ? 1 : 41);
      expect(await store!.count({ namespace: "default" })).toBe(ids.size);
      costs.push(asked);
    }
    expect(costs[0]).toBeGreaterThan(0);
    expect(costs[1]).toBe(costs[0]);
  });
});
