import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type StepContext, workflow, type WorkflowDefinition, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { beforeAll, expect, it, vi } from "vitest";
import { quiet } from "../crash/quiet.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { bestOf, median } from "./ratio.ts";

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 });

/** What steps at the end of a long run may cost, compared with those at its beginning. */
const mostGrowth = 1.3;

// Bodies note when they began: from one to the next is what a step costs.
setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

interface LongRun {
  /** Milliseconds from the beginning of a body to that of the next, by medians. */
  readonly firstMs: number;
  readonly lastMs: number;
  /** Bytes of the heap at a quarter of the way and at its end, after collecting garbage. */
  readonly heapEarly: number;
  readonly heapLate: number;
}

/** Runs a workflow of so many steps whose bodies call `mark`. */
async function longRun(steps: number, define: (mark: () => void) => WorkflowDefinition): Promise<LongRun> {
  using store = new StoreFile();
  const beganAt = new Float64Array(steps);
  let ran = 0;
  let heapEarly = 0;
  let heapLate = 0;
  const mark = (): void => {
    if (ran === Math.floor(steps / 4)) heapEarly = heap();
    if (ran === steps - 1) heapLate = heap();
    beganAt[ran] = performance.now();
    ran += 1;
  };
  const definition = define(mark);
  await using host = new WorkflowHost({
    providers: [sqlite(store.file, { synchronous: "normal" })],
    workflows: [definition],
    log: quiet(),
  });
  await host.start();
  const handle = await host.startWorkflow(definition, {});
  await handle.result({ timeout: "120s" });
  expect(ran).toBe(steps);

  // The first part is left out: the code is still being compiled, and what it takes would hide what the last part takes.
  const took = Array.from({ length: steps - 1 }, (_, index) => (beganAt[index + 1] ?? 0) - (beganAt[index] ?? 0));
  const part = Math.floor(steps / 10);
  return {
    firstMs: median(took.slice(part, 3 * part)),
    lastMs: median(took.slice(-2 * part)),
    heapEarly,
    heapLate,
  };
}

function heap(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

const growth = ({ firstMs, lastMs }: LongRun): number => lastMs / firstMs;

function report(what: string, run: LongRun): void {
  const { firstMs, lastMs, heapEarly, heapLate } = run;
  const mib = (bytes: number): string => (bytes / 1024 / 1024).toFixed(1);
  console.log(
    `${what}: ${firstMs.toFixed(3)} ms a step at the beginning, ${lastMs.toFixed(3)} at the end (x ${growth(run).toFixed(2)}); heap ${mib(heapEarly)} MiB, then ${mib(heapLate)}`,
  );
}

const loop = (iterations: number) => (mark: () => void) =>
  workflow<{ round?: number }>()
    .whileDo(
      (data) => (data.round ?? 0) < iterations,
      (b) => b.then(counting(mark)).output((_, round) => ({ round })),
    )
    .build("loop", 1);

beforeAll(async () => {
  await longRun(3_000, loop(3_000));
});

it("takes as long for the 10,000th iteration of a loop as for the first ones, in flat memory", async () => {
  const iterations = 10_000;
  const run = await bestOf(() => longRun(iterations, loop(iterations)), growth, mostGrowth);
  report("loop of 10,000 iterations", run);
  expect(growth(run)).toBeLessThan(mostGrowth);
  expect(run.heapLate - run.heapEarly).toBeLessThan(4 * 1024 * 1024);
});

it("takes as long for the 2,000th step of a chain as for the first ones, in flat memory", async () => {
  const steps = 2_000;
  const run = await bestOf(
    () =>
      longRun(steps, (mark) => {
        const step = counting(mark);
        let chain: any = workflow<{ round?: number }>();
        for (let n = 0; n < steps; n += 1) chain = chain.then(step).output((_: unknown, round: number) => ({ round }));
        return chain.build("chain", 1) as WorkflowDefinition;
      }),
    growth,
    mostGrowth,
  );
  report("chain of 2,000 steps", run);
  expect(growth(run)).toBeLessThan(mostGrowth);
  expect(run.heapLate - run.heapEarly).toBeLessThan(4 * 1024 * 1024);
});

it("takes as long for a step behind 2,000 undoable ones as for the first ones", async () => {
  const iterations = 2_000;
  const run = await bestOf(
    () =>
      longRun(iterations, (mark) =>
        workflow<{ round?: number }>()
          .saga((saga) =>
            saga.whileDo(
              (data) => (data.round ?? 0) < iterations,
              (b) =>
                b
                  .then(counting(mark))
                  .output((_, round) => ({ round }))
                  .compensateWith(() => undefined),
            ),
          )
          .build("undoable", 1),
      ),
    growth,
    mostGrowth,
  );
  report("2,000 undoable steps", run);
  expect(growth(run)).toBeLessThan(mostGrowth);
  expect(run.heapLate - run.heapEarly).toBeLessThan(4 * 1024 * 1024);
});

function counting(mark: () => void) {
  return (data: { round?: number }, _ctx: StepContext): number => {
    mark();
    return (data.round ?? 0) + 1;
  };
}
