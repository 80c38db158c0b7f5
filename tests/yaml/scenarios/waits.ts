import { workflow } from "@wfe/core";
import type { AnyChain, Scenario } from "./scenario.ts";

const start = (): AnyChain => workflow<any>() as AnyChain;

const child = workflow<any>()
  .then(function inner() {
    return { n: 1 };
  })
  .as("made")
  .build("child", 1);

/** Timers, events and children. */
export const waits: readonly Scenario[] = [
  {
    title: "a delay",
    build: (run) => start().then(run.before!).delay("1h").then(run.after!),
    yaml: `
      steps:
        - { name: before, type: body }
        - { name: delay, type: delay, config: { duration: 1h } }
        - { name: after, type: body }`,
  },
  {
    title: "a delay of the data's choice",
    build: () => start().delay((data) => data.pause),
    data: { pause: "90s" },
    yaml: `
      steps:
        - { name: delay, type: delay, config: { duration: "\${{ data.pause }}" } }`,
  },
  {
    title: "a sleep until a date",
    build: () => start().sleepUntil(new Date("2030-01-31T12:00:00Z")),
    yaml: `
      steps:
        - { name: sleep-until, type: sleep_until, config: { date: 2030-01-31T12:00:00Z } }`,
  },
  {
    title: "an event",
    build: (run) =>
      start()
        .waitFor<any>("approved", (data) => data.order)
        .then(run.after!),
    data: { order: "o-1" },
    async drive({ host, world }) {
      await world.settle();
      await host.publishEvent("approved", "o-2", {});
      await host.publishEvent("approved", "o-1", { by: "ann" });
    },
    yaml: `
      steps:
        - { name: wait, type: wait_for, config: { event: approved, key: "\${{ data.order }}" } }
        - { name: after, type: body }`,
  },
  {
    title: "a time-out with steps of its own",
    build: (run) =>
      start()
        .waitFor<any>("approved", "", { timeout: "2d", onTimeout: (b: any) => b.then(run.escalate!) })
        .then(run.after!),
    yaml: `
      steps:
        - { name: wait, type: wait_for, config: { event: approved, key: "", timeout: 2d }, on_timeout: [{ name: escalate, type: body }] }
        - { name: after, type: body }`,
  },
  {
    title: "a time-out that fails",
    build: () => start().waitFor<any>("approved", "", { timeout: "2d" }),
    status: "failed",
    yaml: `
      steps:
        - { name: wait, type: wait_for, config: { event: approved, key: "", timeout: 2d } }`,
  },
  {
    title: "reminders",
    build: (run) =>
      start().waitFor<any>("approved", "", {
        remind: { every: "1d", do: (b: any) => b.then(run.remind!) },
        timeout: "60h",
        onTimeout: (b: any) => b,
      }),
    yaml: `
      steps:
        - name: wait
          type: wait_for
          config: { event: approved, key: "", timeout: 60h, remind: { every: 1d, do: [{ name: remind, type: body }] } }
          on_timeout: []`,
  },
  {
    title: "any of two events",
    build: (run) =>
      start()
        .waitForAny({ yes: { event: "approved", key: "1" }, no: { event: "rejected", key: "1" } })
        .then(run.after!),
    async drive({ host, world }) {
      await world.settle();
      await host.publishEvent("rejected", "1", { why: "no" });
    },
    yaml: `
      steps:
        - { name: wait, type: wait_for_any, config: { events: { "yes": { event: approved, key: "1" }, "no": { event: rejected, key: "1" } } } }
        - { name: after, type: body }`,
  },
  {
    title: "all of two events",
    build: (run) =>
      start()
        .waitForAll({ a: { event: "a", key: "" }, b: { event: "b", key: "" } })
        .then(run.after!),
    async drive({ host, world }) {
      await world.settle();
      await host.publishEvent("b", "", 2);
      await world.settle();
      await host.publishEvent("a", "", 1);
    },
    yaml: `
      steps:
        - { name: wait, type: wait_for_all, config: { events: { a: { event: a, key: "" }, b: { event: b, key: "" } } } }
        - { name: after, type: body }`,
  },
  {
    title: "branches that wait for events of their own",
    build: (run) =>
      start().parallel((p) =>
        p.branch((b) => b.waitFor<any>("e", "1").then(run.one!)).branch((b) => b.waitFor<any>("e", "2").then(run.two!)),
      ),
    async drive({ host, world }) {
      await world.settle();
      await host.publishEvent("e", "2", 2);
      await world.settle();
      await host.publishEvent("e", "1", 1);
    },
    yaml: `
      steps:
        - name: parallel
          parallel:
            - { name: wait, type: wait_for, config: { event: e, key: "1" }, on_success: { name: one, type: body } }
            - { name: parallel/wait, type: wait_for, config: { event: e, key: "2" }, on_success: { name: two, type: body } }`,
  },
  {
    title: "a child",
    build: (run) =>
      start()
        .runWorkflow(child, () => ({ a: 1 }))
        .then(run.after!),
    children: [child],
    yaml: `
      steps:
        - { name: run-workflow, type: workflow, config: { workflow: child, version: 1 }, inputs: { a: 1 } }
        - { name: after, type: body }`,
  },
  {
    title: "a child that is not there",
    build: () =>
      start()
        .runWorkflow("nobody", () => ({}))
        .onError("ignore"),
    yaml: `
      steps:
        - { name: run-workflow, type: workflow, config: { workflow: nobody }, inputs: {}, error_behavior: { type: ignore } }`,
  },
  {
    title: "suspension and resumption from outside, while it waits",
    build: (run) => start().delay("1h").then(run.after!),
    async drive({ host, handle, world }) {
      await world.settle();
      await host.suspendWorkflow(handle.id);
      await world.settle();
      await world.clock.advance("2h");
      await host.resumeWorkflow(handle.id);
    },
    yaml: `
      steps:
        - { name: delay, type: delay, config: { duration: 1h } }
        - { name: after, type: body }`,
  },
];
