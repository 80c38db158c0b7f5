import { join } from "node:path";
import { workflow, WorkflowHost, type WorkflowDefinition } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { heapMiB, inFolder, median, row } from "./measure.ts";

/** The time of a step at the end of a long run, beside that at its beginning. */
export async function longRuns(): Promise<void> {
  const loopTimes: number[] = [];
  const heap: number[] = [];
  const loop = workflow<{ n: number }>()
    .whileDo(
      (data) => data.n < 10_000,
      (b) =>
        b
          .then((data) => {
            loopTimes.push(performance.now());
            if (data.n % 1000 === 999) heap.push(heapMiB());
            return { n: data.n + 1 };
          })
          .output((_, out) => out),
    )
    .build("loop", 1);
  await run(loop, { n: 0 });
  report("a loop of 10,000 iterations", loopTimes);
  row("heap after 1,000 and after 10,000 iterations", `${heap[0]?.toFixed(1)} MiB`, `${heap.at(-1)?.toFixed(1)} MiB`);

  const chainTimes: number[] = [];
  let chain = workflow().then(() => void chainTimes.push(performance.now()));
  for (let n = 1; n < 2000; n++) chain = chain.then(() => void chainTimes.push(performance.now()));
  await run(chain.build("chain", 1), {});
  report("a chain of 2,000 steps", chainTimes);
}

async function run(definition: WorkflowDefinition, data: object): Promise<void> {
  await inFolder(async (folder) => {
    const host = new WorkflowHost({ providers: [sqlite(join(folder, "wfe.db"))], workflows: [definition] });
    await host.start();
    await (await host.startWorkflow(definition, data)).result();
    await host.stop();
  });
}

/** Medians of the second and of the last tenth; the first warms up. */
function report(what: string, at: readonly number[]): void {
  const gaps = at.slice(1).map((time, index) => time - (at[index] ?? time));
  const tenth = Math.floor(gaps.length / 10);
  const early = median(gaps.slice(tenth, 2 * tenth));
  const late = median(gaps.slice(-tenth));
  row(
    `${what}: a step early, late, ratio`,
    `${(early * 1000).toFixed(0)} µs`,
    `${(late * 1000).toFixed(0)} µs`,
    (late / early).toFixed(2),
  );
}
