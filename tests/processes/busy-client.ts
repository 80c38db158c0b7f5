// A process that starts, publishes and reads as fast as it is answered, until its time is over. It runs nothing.
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { quiet } from "../crash/quiet.ts";
import { optionsOf, serve } from "./support/serve.ts";
import { said, worksOf } from "./works.ts";

/** What one client has done. */
export interface ClientReport {
  readonly started: readonly string[];
  readonly published: number;
  readonly reads: number;
  readonly errors: readonly string[];
}

const { file, name } = optionsOf<{ readonly file: string; readonly name: string }>();
const { brief, listener } = worksOf(() => {});
const host = new WorkflowHost({ providers: [sqlite(file)], workflows: [brief, listener], log: quiet() });

serve({
  work: async (forMs: number): Promise<ClientReport> => {
    const own = new Database(file, { timeout: 30_000 });
    const started: string[] = [];
    const errors: string[] = [];
    const counts = { published: 0, reads: 0 };
    const until = performance.now() + forMs;

    for (let round = 0; performance.now() < until; round += 1) {
      const id = `${name}-${round}`;
      try {
        await oneRound(id, round, own, counts);
        started.push(id);
      } catch (error) {
        errors.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
      }
    }
    own.close();
    await host.stop();
    return { started, ...counts, errors };
  },
});

async function oneRound(
  id: string,
  round: number,
  own: Database.Database,
  counts: { published: number; reads: number },
): Promise<void> {
  const data = { texts: 2, heard: [] };
  if (round % 4 === 3) {
    // Another connection of the application, with a transaction of its own.
    own.exec("BEGIN IMMEDIATE");
    await host.startWorkflow(listener, data, { id, tx: own });
    await host.publishEvent(said, id, { text: "one" }, { tx: own });
    own.exec("COMMIT");
  } else {
    await host.startWorkflow(listener, data, { id });
    await host.publishEvent(said, id, { text: "one" });
  }
  const details = await host.getWorkflow(id);
  if (details?.id !== id) throw new Error(`${id} was started and is not there`);
  await host.publishEvent(said, id, { text: "two" });
  counts.published += 2;

  await host.listWorkflows({ limit: 20 });
  await host.history(id, { limit: 20 });
  counts.reads += 3;
  // Now and then it waits for the end, as callers do.
  if (round % 5 === 0) await host.handle(id).result({ timeout: "60s" });
}
