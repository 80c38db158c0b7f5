import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { quiet } from "../crash/quiet.ts";
import type { ClientReport } from "./busy-client.ts";
import { Child } from "./support/child.ts";
import { StoreFile } from "./support/store-file.ts";
import { until } from "./support/until.ts";
import { worksOf } from "./works.ts";

export interface CrowdReport {
  readonly clients: number;
  readonly started: number;
  readonly published: number;
  readonly reads: number;
  /** What reached a user. */
  readonly errors: readonly string[];
  /** Started, and did not end with both texts in their order. */
  readonly lost: readonly string[];
}

/** One process runs workflows, and others start, publish and read on the same file for some time. */
export async function crowd(options: { readonly clients: number; readonly forMs: number }): Promise<CrowdReport> {
  using store = new StoreFile();
  await using runner = await Child.spawn(new URL("./worker.ts", import.meta.url), { file: store.file });
  await runner.call("start");
  await using clients = new AsyncDisposableStack();
  const script = new URL("./busy-client.ts", import.meta.url);
  const processes = await Promise.all(
    Array.from({ length: options.clients }, async (_, n) =>
      clients.use(await Child.spawn(script, { file: store.file, name: `client${n}` })),
    ),
  );
  const reports = await Promise.all(processes.map((each) => each.call<ClientReport>("work", options.forMs)));

  const definitions = Object.values(worksOf(() => {}));
  await using host = new WorkflowHost({ providers: [sqlite(store.file)], workflows: definitions, log: quiet() });
  const unfinished = { status: ["runnable", "waiting", "suspended"] } as const;
  await until(
    { what: "everything has ended", withinMs: 60_000 },
    async () => (await host.countWorkflows(unfinished)) === 0,
  );

  const started = reports.flatMap((report) => report.started);
  const lost: string[] = [];
  for (const id of started) {
    const details = await host.getWorkflow(id);
    const heard = JSON.stringify(details?.data["heard"]);
    if (details?.status !== "completed" || heard !== '["one","two"]') lost.push(`${id}: ${details?.status} ${heard}`);
  }
  const errors = reports.flatMap((report) => report.errors);
  if (runner.errors !== "") errors.push(`the runner: ${runner.errors}`);
  return {
    clients: options.clients,
    started: started.length,
    published: reports.reduce((sum, { published }) => sum + published, 0),
    reads: reports.reduce((sum, { reads }) => sum + reads, 0),
    errors,
    lost,
  };
}
