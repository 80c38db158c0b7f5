import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { connect, open, startChild, temporaryFile, turn } from "./stage.ts";

interface Acknowledged {
  readonly run: number;
  readonly seq: number;
}

describe("kill -9 in the middle of commits", { timeout: 120_000 }, () => {
  it("loses nothing that was acknowledged, and leaves the file whole", async () => {
    const file = temporaryFile();
    for (let time = 0; time < 5; time += 1) {
      const child = startChild(new URL("./children/commit-until-killed.ts", import.meta.url), file);
      await child.until((lines) => lines.length >= 20 + time * 7);
      await child.kill();
      const lines = await child.ended;
      const acknowledged = lines.flatMap((line) => JSON.parse(line) as readonly Acknowledged[]);
      expect(acknowledged.length).toBeGreaterThan(100);

      const { store, provider } = await open(file);
      const heads = new Map<number, number>();
      for (const { run, seq } of acknowledged) heads.set(run, Math.max(heads.get(run) ?? -1, seq));
      for (const [run, seq] of heads) {
        const turns = await store.turns(run, { from: 0, limit: 100_000 });
        expect(turns.length).toBeGreaterThan(seq);
        // Whole turns in order, without a gap, and at most one flush more than was acknowledged.
        expect(turns.map((turn) => turn.seq)).toEqual(turns.map((_, place) => place));
        expect(turns.length).toBeLessThanOrEqual(seq + 2);
      }
      await provider.close();
      expect(connect(file).pragma("integrity_check", { simple: true })).toBe("ok");
    }
  });
});

describe("a power loss", { timeout: 120_000 }, () => {
  it("leaves whole flushes, wherever it cuts the log", async () => {
    const file = temporaryFile();
    const { store, hold } = await open(file);
    const runs = await hold(10);
    for (let seq = 0; seq < 20; seq += 1) {
      await store.commit(runs.map((run) => turn(run, seq, { entriesText: "x".repeat(seq * 40) })));
    }
    const log = readFileSync(`${file}-wal`);
    const seen = new Set<number>();
    for (let cut = 1; cut <= 60; cut += 1) {
      const copy = temporaryFile();
      copyFileSync(file, copy);
      writeFileSync(`${copy}-wal`, log.subarray(0, Math.round((log.length * cut) / 60)));
      const db = connect(copy);
      expect(db.pragma("integrity_check", { simple: true })).toBe("ok");
      const tables = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'wfe_heads'").pluck().get();
      if (tables === 0) continue;
      const heads = db.prepare("SELECT DISTINCT seq FROM wfe_heads").pluck().all() as number[];
      expect(heads.length).toBeLessThanOrEqual(1);
      for (const seq of heads) {
        seen.add(seq);
        expect(db.prepare("SELECT count(*) FROM wfe_turns").pluck().get()).toBe((seq + 1) * 10);
      }
    }
    expect(seen.size).toBeGreaterThan(5);
    expect(seen).toContain(19);
  });
});
