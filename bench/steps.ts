import { join } from "node:path";
import { workflow, WorkflowHost, type WorkflowDefinition } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { runFloor } from "./floor.ts";
import { inFolder, median, row, timed } from "./measure.ts";

const workflows = 1000;
const stepsEach = 10;
const rounds = 9;
/** Rounds that are not counted: until then the compiler is still at work. */
const warmUps = 10;

/**
 * 1,000 workflows of 10 no-op steps, each result durable before the next step, beside bare inserts of the same rows in the best
 * batches. Without the search index, whose rows are no part of the floor either; and, not compared with anything, the same with it.
 */
export async function steps(): Promise<void> {
  const definition = noOps(stepsEach);
  const engineTimes: number[] = [];
  const sameWrites: number[] = [];
  const rowsOnce: number[] = [];
  const searchTimes: number[] = [];
  for (let round = -warmUps; round < rounds; round++) {
    await inFolder(async (folder) => {
      const file = join(folder, "wfe.db");
      const engine = await runEngine(file, definition, false);
      if (round < 0) return;
      searchTimes.push(await runEngine(join(folder, "searched.db"), definition, true));
      engineTimes.push(engine);
      sameWrites.push(await runFloor(file, join(folder, "writes.db"), true));
      rowsOnce.push(await runFloor(file, join(folder, "rows.db"), false));
    });
  }
  const perSecond = (ms: number): string => `${Math.round((workflows * stepsEach * 1000) / ms)} steps/s`;
  const share = (floors: readonly number[]): string =>
    `${(100 * median(floors.map((floor, round) => floor / (engineTimes[round] ?? Number.NaN)))).toFixed(0)} %`;
  row("engine, synchronous=FULL", perSecond(median(engineTimes)));
  row("floor: the same writes with bare better-sqlite3", perSecond(median(sameWrites)));
  row("share of this floor (median of interleaved rounds)", share(sameWrites));
  row("floor that writes each row once, as it is in the end", perSecond(median(rowsOnce)));
  row("share of that floor (median of interleaved rounds)", share(rowsOnce));
  row("engine with a search index in the same file", perSecond(median(searchTimes)));
}

export function noOps(count: number): WorkflowDefinition<object, object> {
  let builder = workflow().then(noOp);
  for (let n = 1; n < count; n++) builder = builder.then(noOp);
  return builder.build("no-ops", 1);
}

function noOp(): void {}

async function runEngine(
  file: string,
  definition: WorkflowDefinition<object, object>,
  search: boolean,
): Promise<number> {
  const providers = [sqlite(file, { search })];
  const host = new WorkflowHost({ providers, workflows: [definition], concurrency: workflows });
  await host.start();
  const ms = await timed(async () => {
    const starts = Array.from({ length: workflows }, (_, n) => ({ definition, data: {}, options: { id: `w-${n}` } }));
    const handles = (
      await Promise.all([host.startWorkflows(starts.slice(0, 500)), host.startWorkflows(starts.slice(500))])
    ).flat();
    await Promise.all(handles.map((handle) => handle.result()));
  });
  await host.stop();
  return ms;
}
