// A process with a host, which does what its parent says.
import { type Duration, type WorkflowDefinition, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { quiet } from "../crash/quiet.ts";
import { optionsOf, serve, tell } from "./support/serve.ts";
import { said, worksOf } from "./works.ts";

export interface WorkerOptions {
  readonly file: string;
  readonly lease?: Duration;
  readonly concurrency?: number;
}

const { file, lease = "10s", concurrency = 500 } = optionsOf<WorkerOptions>();
const { held, brief, listener } = worksOf(tell);
const host = new WorkflowHost({
  providers: [sqlite(file)],
  workflows: [held, brief, listener],
  lease,
  concurrency,
  log: quiet(),
});
const definitions: Readonly<Record<string, WorkflowDefinition>> = { held, brief, listener };
let own: Database.Database | undefined;

serve({
  start: () => host.start(),
  stop: ({ timeout }: { timeout: number }) => host.stop({ timeout }),
  startWorkflow: async ({ kind, id, data }: { kind: string; id: string; data: any }) => {
    const { created } = await host.startWorkflow(definitions[kind]!, data, { id });
    return created;
  },
  publish: ({ key, text, id }: { key: string; text: string; id?: string }) =>
    host.publishEvent(said, key, { text }, id === undefined ? {} : { id }),
  /** Starts a workflow and publishes in a transaction of the application's, and leaves it open. */
  beginOwn: async ({ id, text }: { id: string; text: string }) => {
    await host.getWorkflow(id);
    own ??= new Database(file, { timeout: 10_000 });
    own.exec("BEGIN IMMEDIATE");
    own.prepare("INSERT INTO orders (id) VALUES (?)").run(id);
    const started = host.startWorkflow(listener, { texts: 1, heard: [] }, { id, tx: own });
    const published = host.publishEvent(said, id, { text }, { tx: own });
    await Promise.all([started, published]);
  },
  endOwn: (how: "COMMIT" | "ROLLBACK") => {
    own?.exec(how);
  },
});
