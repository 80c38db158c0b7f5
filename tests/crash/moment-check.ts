import { WorkflowHost } from "@wfe/core";
import { expect } from "vitest";
import { Child } from "../processes/support/child.ts";
import { until } from "../processes/support/until.ts";
import { type Acknowledged, auditOf } from "./audit.ts";
import type { Moment } from "./dying-provider.ts";
import { type Kind, kindNames, mixOf, ticked } from "./mix.ts";
import type { Case } from "./moments.ts";
import { quiet } from "./quiet.ts";
import { randomOf } from "./random.ts";
import type { RunnerOptions } from "./runner.ts";
import { CrashStore } from "./stores/crash-store.ts";

/** Processes die at these moments, one after the other; then this process finishes the workflow, and all is as if none had died. */
export async function expectFinished(moments: readonly Case[]): Promise<void> {
  await using store = await CrashStore.create();
  const kinds = mixOf({
    store: store.spec,
    directory: store.directory,
    publish: (name, key, payload, id) => host.publishEvent(name, key, payload, { id }),
  });
  const definitions = [...kindNames, "child"].map((name) => kinds[name]!.definition);
  await using host: WorkflowHost = new WorkflowHost({
    providers: store.providers(),
    workflows: definitions,
    log: quiet(),
  });

  const start = acknowledgedOf(moments[0]!, kinds);
  const { id, kind, data } = start;
  const isStarted = moments[0]!.by !== "starter";
  if (isStarted) await host.startWorkflow(kind.definition, data, { id });
  if (moments[0]!.by !== "publisher") await publishAll(host, start);

  for (const moment of moments) await dieAt(moment, store, start);

  // Whoever was to start or publish and died does not know whether it has. It says it again, under the same ids.
  if (!isStarted) await host.startWorkflow(kind.definition, data, { id });
  await publishAll(host, start);
  await host.start();
  await host.handle(id).result({ timeout: "30s" });
  await until({ what: "everything has ended" }, async () => (await unfinished(host)) === 0);
  await host.stop();

  await using reader = new WorkflowHost({ providers: store.providers(), workflows: definitions, log: quiet() });
  const { lost, doubled, stuck, damaged } = await auditOf(store, reader, [start]);
  expect({ lost, doubled, stuck, damaged }).toEqual({ lost: [], doubled: [], stuck: [], damaged: [] });
}

/** A process that is at work on a workflow until it dies at the moment. */
async function dieAt(moment: Case, store: CrashStore, start: Acknowledged): Promise<void> {
  const { call, when, saying, doing, nth }: Moment = moment;
  const options: RunnerOptions = {
    store: store.spec,
    directory: store.directory,
    moment: JSON.parse(JSON.stringify({ call, when, saying, doing, nth })) as Moment,
    lease: "1s",
  };
  await using child = await Child.spawn(new URL("./runner.ts", import.meta.url), options);
  if (moment.by === "starter") void child.call("startWorkflow", { id: start.id, kind: moment.kind, data: start.data });
  else if (moment.by === "publisher") {
    void child.call("publish", { name: ticked.name, key: start.id, payload: { n: 1 }, id: `${start.id}-1` });
  } else void child.call("start");

  const tooLate = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`this moment has not come\n${child.errors}`)), 15_000);
    void child.ended.then(() => clearTimeout(timer));
  });
  const { signal, code } = await Promise.race([child.ended, tooLate]);
  expect({ signal, code, errors: child.errors }).toEqual({ signal: "SIGKILL", code: null, errors: "" });
}

function acknowledgedOf(moment: Case, kinds: Readonly<Record<string, Kind>>): Acknowledged {
  const kind = kinds[moment.kind]!;
  return { id: `${moment.kind}-1`, kind, data: (moment.data as Record<string, any>) ?? kind.data(randomOf(1)) };
}

async function publishAll(host: WorkflowHost, { id, kind, data }: Acknowledged): Promise<void> {
  const events = kind.events?.(data) ?? 0;
  for (let n = 1; n <= events; n += 1) await host.publishEvent(ticked, id, { n }, { id: `${id}-${n}` });
}

async function unfinished(host: WorkflowHost): Promise<number> {
  return host.countWorkflows({ status: ["runnable", "waiting", "suspended"] });
}
