import { join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { inFolder, median, row, timed } from "./measure.ts";
import { noOps } from "./steps.ts";

const count = 500;

/** One workflow alone: a step, beside one bare commit. */
export async function latency(): Promise<void> {
  const engine: number[] = [];
  const floor: number[] = [];
  for (let round = 0; round < 5; round++) {
    await inFolder(async (folder) => {
      const definition = noOps(count);
      const host = new WorkflowHost({ providers: [sqlite(join(folder, "wfe.db"))], workflows: [definition] });
      await host.start();
      const ms = await timed(async () => (await host.startWorkflow(definition, {})).result());
      await host.stop();
      const db = new Database(join(folder, "floor.db"));
      db.pragma("journal_mode = WAL");
      db.pragma("synchronous = FULL");
      db.exec("CREATE TABLE journal (run INTEGER, seq INTEGER, entries TEXT, PRIMARY KEY (run, seq)) WITHOUT ROWID");
      const insert = db.prepare("INSERT INTO journal VALUES (1, ?, ?)");
      const text = "x".repeat(150);
      const bare = await timed(() => {
        for (let seq = 0; seq < count; seq++) insert.run(seq, text);
      });
      db.close();
      if (round === 0) return;
      engine.push(ms / count);
      floor.push(bare / count);
    });
  }
  row("one workflow alone, per step", `${(median(engine) * 1000).toFixed(0)} µs`);
  row("one bare commit", `${(median(floor) * 1000).toFixed(0)} µs`);
  row("ratio", (median(engine) / median(floor)).toFixed(2));
}
