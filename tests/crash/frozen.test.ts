import { WorkflowHost } from "@wfe/core";
import { expect, it, vi } from "vitest";
import { Child } from "../processes/support/child.ts";
import { until } from "../processes/support/until.ts";
import { auditOf } from "./audit.ts";
import type { Moment } from "./dying-provider.ts";
import { kindNames, mixOf } from "./mix.ts";
import { randomOf } from "./random.ts";
import type { RunnerOptions } from "./runner.ts";
import { CrashStore } from "./stores/crash-store.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000 });

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

interface Case {
  readonly title: string;
  readonly kind: string;
  readonly data?: Record<string, unknown>;
  readonly moment: Pick<Moment, "saying" | "doing">;
}

const cases: readonly Case[] = [
  { title: "the result of a step", kind: "chain", moment: { saying: "step-completed" } },
  { title: "a retry", kind: "retries", moment: { saying: "step-retrying" } },
  { title: "a child", kind: "family", moment: { doing: "children" } },
  { title: "a timer, with which it is parked", kind: "timers", moment: { saying: "timer-set" } },
  { title: "an undoing", kind: "saga", data: { price: 99 }, moment: { saying: "undo-started" } },
  { title: "the end", kind: "timers", moment: { saying: "workflow-completed" } },
];

it.each(cases)(
  "refuses what a process stores that was frozen before $title, and is thawed when others have gone on",
  async ({ kind: name, data: given, moment }) => {
    await using store = await CrashStore.create();
    const kinds = mixOf({
      store: store.spec,
      directory: store.directory,
      publish: () => Promise.reject(new Error("nothing is published")),
    });
    const workflows = [...kindNames, "child"].map((each) => kinds[each]!.definition);
    await using host = new WorkflowHost({ providers: store.providers(), workflows, lease: "1s", log: silent });
    const kind = kinds[name]!;
    const data = given ?? kind.data(randomOf(1));
    await host.startWorkflow(kind.definition, data, { id: "one" });

    const options: RunnerOptions = {
      store: store.spec,
      directory: store.directory,
      moment: { call: "commit", when: "before", how: "freezes", ...moment },
      lease: "1s",
    };
    await using child = await Child.spawn(new URL("./runner.ts", import.meta.url), options);
    void child.call("start");
    await until({ what: "it is frozen", otherwise: () => child.errors }, () => child.told("frozen").length > 0);

    await host.start();
    await host.handle("one").result({ timeout: "20s" });
    child.kill("SIGCONT");
    // When it is at work again, what it had in its hands is behind it.
    await until({ what: "it is a host again" }, () => child.call("isWell"));
    await child.call("stop");
    await host.stop();

    await using reader = new WorkflowHost({ providers: store.providers(), workflows, log: silent });
    const { lost, doubled, stuck, damaged } = await auditOf(store, reader, [{ id: "one", kind, data }]);
    expect({ lost, doubled, stuck, damaged }).toEqual({ lost: [], doubled: [], stuck: [], damaged: [] });
    expect(child.told("answered")).toEqual([["conflict"]]);
  },
);
