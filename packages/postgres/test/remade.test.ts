import { type PersistenceProvider, systemRuntime } from "@wfe/core/providers";
import { describe, expect, it, onTestFinished } from "vitest";
import { postgres } from "../src/index.ts";
import { event, turn, waitingRow, workflow } from "./support/records.ts";
import { admin, schemas, server, url } from "./support/server.ts";

describe.skipIf(server === undefined)("a schema that was dropped, and made anew by another host", () => {
  it("takes nothing from those who knew the one before, whose numbers mean something else", async () => {
    const schema = schemas.take();
    const old = await open(schema);
    const [own] = await old.create([workflow({ id: "a", definitionId: "order" })]);
    await old.create([workflow({ id: "b", definitionId: "pay" })]);
    const run = own?.run ?? 0;
    await old.claim({ lease: "old", limit: 1, definitions: [{ id: "order", version: 1 }], format: 1 });
    await admin.query(`DROP SCHEMA ${schema} CASCADE`);
    const heir = await open(schema);
    const [other] = await heir.create([workflow({ id: "a", definitionId: "pay" })]);
    expect(other?.run).toBe(run);
    await heir.claim({ lease: "heir", limit: 1, definitions: [{ id: "pay", version: 1 }], format: 1 });

    const delivery = { deliveryId: "d", to: run, kind: "signal", bodyText: "{}", keepOutcome: false, exempt: false };
    const committed = turn(run, 0, { row: waitingRow() });
    const refused: Record<string, () => Promise<unknown>> = {
      create: () => old.create([workflow({ id: "c", definitionId: "order" })]),
      commit: () => old.commit([committed]),
      "a transactional step": () => old.commit([{ run, seq: 0, execute: () => committed }]),
      writeRows: () => old.writeRows([{ run, claim: 1, row: waitingRow() }]),
      deliver: () => old.deliver([delivery], 10),
      publish: () => old.publish([event()]),
    };
    for (const [what, call] of Object.entries(refused)) {
      await expect(call(), what).rejects.toMatchObject({
        code: "STORE_SCHEMA",
        outcome: "not-applied",
        transient: false,
        message: expect.stringContaining("restart this process"),
      });
    }
    await heir.create([workflow({ id: "due", definitionId: "pay" })]);
    await expect(
      old.claim({ lease: "old", limit: 1, definitions: [{ id: "pay", version: 1 }], format: 1 }),
    ).rejects.toMatchObject({ code: "STORE_SCHEMA" });

    const { items } = await heir.list({ namespace: "default" }, { limit: 10 });
    expect(items.map(({ id, definitionId }) => `${id} ${definitionId}`)).toEqual(["due pay", "a pay"]);
    expect(items[1]).toMatchObject({ owner: "heir", claim: 1, signals: 0, status: "runnable" });
    expect(await heir.turns(run, { from: 0, limit: 10 })).toEqual([]);
  });
});

async function open(schema: string): Promise<PersistenceProvider> {
  const provider = postgres(url, { schema });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  return provider.persistence!;
}
