// A process that runs a constant mixed load on one store and can be measured.
import { readdirSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { WorkflowHost } from "@wfe/core";
import { plain } from "../../crash/audit.ts";
import { type Kind, kindNames, mixOf, ticked } from "../../crash/mix.ts";
import { quiet } from "../../crash/quiet.ts";
import { randomOf } from "../../crash/random.ts";
import { CrashStore, type StoreSpec } from "../../crash/stores/crash-store.ts";
import { optionsOf, serve } from "../../processes/support/serve.ts";

/** What the parent gives. */
export interface SoakOptions {
  readonly store: StoreSpec;
  readonly directory: string;
  readonly seed: number;
  /** Workflows that are started in a second, whatever becomes of those before. */
  readonly perSecond: number;
}

/** How the process stands. */
export interface Sample {
  readonly ended: number;
  readonly unfinished: number;
  /** In the store, ended ones that retention has not deleted yet included. */
  readonly stored: number;
  readonly heapBytes: number;
  /** What the engine of JavaScript has taken for the heap, and what hangs on it outside. */
  readonly heapTotalBytes: number;
  readonly externalBytes: number;
  readonly rssBytes: number;
  readonly openFiles: number;
  /** What keeps the event loop alive, timers included. */
  readonly resources: number;
  readonly bodiesLeftBehind: number;
  readonly wrong: readonly string[];
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const { store: spec, directory, seed, perSecond } = optionsOf<SoakOptions>();
const random = randomOf(seed);
const store = await CrashStore.at(spec, directory);
const kinds = mixOf({
  store: spec,
  publish: (name, key, payload, id) => host.publishEvent(name, key, payload, { id }),
});
const host: WorkflowHost = new WorkflowHost({
  providers: store.providers(),
  workflows: [...kindNames, "child"].map((name) => kinds[name]!.definition),
  retention: { workflows: "5s", events: "2m" },
  log: quiet(),
});

const wrong: string[] = [];
/** Ended, and their effects not yet looked at. */
let unchecked: { readonly id: string; readonly wanted: readonly string[]; readonly anyOrder: boolean }[] = [];
let started = 0;
let ended = 0;
let ticking: NodeJS.Timeout | undefined;
let checking: Promise<void> = Promise.resolve();

async function runOne(): Promise<void> {
  const name = kindNames[Math.floor(random() * kindNames.length)]!;
  const kind = kinds[name]!;
  started += 1;
  const id = `${name}-${started}`;
  const data = kind.data(random);
  const handle = await host.startWorkflow(kind.definition, data, { id });
  for (let n = 1; n <= (kind.events?.(data) ?? 0); n += 1)
    await host.publishEvent(ticked, id, { n }, { id: `${id}-${n}` });
  judge(id, kind, data, await handle.result({ timeout: "2m" }));
}

function judge(id: string, kind: Kind, data: Record<string, any>, result: unknown): void {
  const wanted = { ...data, ...kind.result(id, data) };
  if (!isDeepStrictEqual(plain(result), wanted)) wrong.push(`${id}: ${JSON.stringify(result)}`);
  unchecked.push({ id, wanted: kind.effects(id, data), anyOrder: kind.anyOrder === true });
}

/** Looks whether each has written what it should, once, and deletes that: the application's own housekeeping. */
async function checkEffects(): Promise<void> {
  const now = unchecked;
  unchecked = [];
  if (now.length === 0) return;
  const ids = now.map(({ id }) => `'${id}'`).join(", ");
  const rows = await store.query<{ workflow: string; label: string }>(
    `SELECT workflow, label FROM effects WHERE workflow IN (${ids}) ORDER BY place`,
  );
  await store.query(`DELETE FROM effects WHERE workflow IN (${ids})`);
  const labels = Map.groupBy(rows, ({ workflow }) => workflow);
  for (const { id, wanted, anyOrder } of now) {
    const done = (labels.get(id) ?? []).map(({ label }) => label);
    const same = anyOrder ? isDeepStrictEqual(done.toSorted(), wanted.toSorted()) : isDeepStrictEqual(done, wanted);
    if (!same) wrong.push(`${id}: has done ${JSON.stringify(done)}, not ${JSON.stringify(wanted)}`);
  }
}

serve({
  start: async () => {
    await host.start();
    const since = performance.now();
    // By the time that has passed, so that a machine which is late does not start fewer.
    ticking = setInterval(() => {
      // Nor does it pile up what it cannot carry: then the run fails, for it shows nothing.
      while (started < ((performance.now() - since) / 1000) * perSecond && started - ended < perSecond * 10) {
        runOne().then(
          () => (ended += 1),
          (error: unknown) => wrong.push(String(error)),
        );
        if (started % (perSecond * 10) === 0) checking = checking.then(checkEffects);
      }
    }, 500 / perSecond);
  },
  /** Starts no more, and waits for the rest. */
  drain: async () => {
    clearInterval(ticking);
    for (const since = performance.now(); ended < started && performance.now() - since < 60_000;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    checking = checking.then(checkEffects);
    await checking;
  },
  sample: async (): Promise<Sample> => {
    const { bodiesLeftBehind } = await host.health();
    const stored = await host.countWorkflows({});
    collectGarbage();
    const { heapUsed, heapTotal, external, rss } = process.memoryUsage();
    return {
      ended,
      unfinished: started - ended,
      stored,
      heapBytes: heapUsed,
      heapTotalBytes: heapTotal,
      externalBytes: external,
      rssBytes: rss,
      openFiles: readdirSync("/proc/self/fd").length,
      resources: process.getActiveResourcesInfo().length,
      bodiesLeftBehind,
      wrong,
    };
  },
  stop: () => host.stop(),
});
