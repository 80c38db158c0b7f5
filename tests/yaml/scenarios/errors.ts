import { retry, workflow } from "@wfe/core";
import { failing, type AnyChain, type Scenario } from "./scenario.ts";

const start = (): AnyChain => workflow<any>() as AnyChain;

/** Failures, retries, hooks and sagas. */
export const errors: readonly Scenario[] = [
  {
    title: "a failure",
    bodies: () => ({ one: failing() }),
    build: (run) => start().then(run.one!).then(run.never!),
    status: "failed",
    yaml: `
      steps:
        - { name: one, type: body }
        - { name: never, type: body }`,
  },
  {
    title: "retries that help",
    bodies: () => ({ one: failing(2) }),
    build: (run) =>
      start()
        .then(run.one!)
        .onError(retry({ interval: "5s", maxRetries: 3, backoff: 2 })),
    yaml: `
      steps:
        - { name: one, type: body, retry: { interval: 5s, max_retries: 3, backoff: 2 } }`,
  },
  {
    title: "WFE's retries, and what follows the last",
    bodies: () => ({ one: failing() }),
    build: (run) =>
      start()
        .then(run.one!)
        .onError(retry({ interval: "60s", maxRetries: 2 })),
    status: "failed",
    yaml: `
      steps:
        - { name: one, type: body, error_behavior: { type: retry, max_retries: 2 } }`,
  },
  {
    title: "a failure that is ignored after its retries",
    bodies: () => ({ one: failing() }),
    build: (run) =>
      start()
        .then(run.one!)
        .onError(retry({ maxRetries: 1, then: "ignore" }))
        .then(run.two!),
    yaml: `
      steps:
        - { name: one, type: body, retry: 1, error_behavior: { type: ignore } }
        - { name: two, type: body }`,
  },
  {
    title: "what the workflow says about all failures",
    bodies: () => ({ one: failing(), two: failing(1) }),
    build: (run) =>
      start()
        .then(run.one!)
        .onError("ignore")
        .then(run.two!)
        .onError(retry({ interval: "1s", maxRetries: 2, then: "ignore" })),
    yaml: `
      error_behavior: { type: ignore }
      steps:
        - { name: one, type: body }
        - { name: two, type: body, retry: { interval: 1s, max_retries: 2 } }`,
  },
  {
    title: "suspension",
    bodies: () => ({ one: failing() }),
    build: (run) => start().then(run.one!).onError("suspend"),
    status: "suspended",
    yaml: `
      steps:
        - { name: one, type: body, error_behavior: { type: suspend } }`,
  },
  {
    title: "suspension that someone ends",
    bodies: () => ({ one: failing(1) }),
    build: (run) => start().then(run.one!).onError("suspend").then(run.two!),
    async drive({ host, handle, world }) {
      await world.settle();
      await host.resumeWorkflow(handle.id);
    },
    yaml: `
      steps:
        - { name: one, type: body, error_behavior: { type: suspend } }
        - { name: two, type: body }`,
  },
  {
    title: "termination",
    bodies: () => ({ two: failing() }),
    build: (run) =>
      start()
        .then(run.one!)
        .compensateWithSequence((b) => b.then(run.undo!))
        .then(run.two!)
        .onError("terminate"),
    status: "terminated",
    yaml: `
      steps:
        - { name: one, type: body, compensate: { name: undo, type: body } }
        - { name: two, type: body, error_behavior: { type: terminate } }`,
  },
  {
    title: "hooks after a success",
    build: (run) =>
      start()
        .then(run.one!)
        .onFailure((b) => b.then(run.mourn!))
        .ensure((b) => b.then(run.clean!))
        .then(run.two!),
    yaml: `
      steps:
        - { name: one, type: body, on_failure: { name: mourn, type: body }, ensure: { name: clean, type: body } }
        - { name: two, type: body }`,
  },
  {
    title: "hooks after a failure",
    bodies: () => ({ one: failing() }),
    build: (run) =>
      start()
        .then(run.one!)
        .onError(retry({ maxRetries: 1 }))
        .onFailure((b) => b.then(run.mourn!))
        .ensure((b) => b.then(run.clean!)),
    status: "failed",
    yaml: `
      steps:
        - { name: one, type: body, retry: 1, on_failure: { name: mourn, type: body }, ensure: { name: clean, type: body } }`,
  },
  {
    title: "hooks of a container",
    bodies: () => ({ left: failing() }),
    build: (run) =>
      start()
        .parallel((p) => p.branch((b) => b.then(run.left!)).branch((b) => b.then(run.right!)))
        .onFailure((b) => b.then(run.mourn!))
        .ensure((b) => b.then(run.clean!)),
    status: "failed",
    yaml: `
      steps:
        - name: parallel
          parallel: [{ name: left, type: body }, { name: right, type: body }]
          on_failure: { name: mourn, type: body }
          ensure: { name: clean, type: body }`,
  },
  {
    title: "a step that is undone and gone past",
    bodies: () => ({ one: failing() }),
    build: (run) =>
      start()
        .then(run.one!)
        .onError("compensate")
        .compensateWithSequence((b) => b.then(run.undo!))
        .then(run.two!),
    yaml: `
      steps:
        - { name: one, type: body, error_behavior: { type: compensate }, on_failure: { name: undo, type: body } }
        - { name: two, type: body }`,
  },
  {
    title: "a saga that undoes what it did",
    bodies: () => ({ pay: failing() }),
    build: (run) =>
      start()
        .saga((b) =>
          b
            .then(run.flight!)
            .compensateWithSequence((c) => c.then(run.noFlight!))
            .then(run.hotel!)
            .compensateWithSequence((c) => c.then(run.noHotel!))
            .then(run.pay!),
        )
        .onError("ignore")
        .then(run.sorry!),
    yaml: `
      steps:
        - name: saga
          type: saga
          error_behavior: { type: ignore }
          steps:
            - { name: flight, type: body, compensate: { name: noFlight, type: body } }
            - { name: hotel, type: body, compensate: { name: noHotel, type: body } }
            - { name: pay, type: body }
        - { name: sorry, type: body }`,
  },
  {
    title: "a saga that is tried again",
    bodies: () => ({ pay: failing(1) }),
    build: (run) =>
      start()
        .saga((b) =>
          b
            .then(run.book!)
            .compensateWithSequence((c) => c.then(run.unbook!))
            .then(run.pay!),
        )
        .onError(retry({ interval: "10s", maxRetries: 2 })),
    yaml: `
      steps:
        - name: saga
          type: saga
          retry: { interval: 10s, max_retries: 2 }
          steps:
            - { name: book, type: body, compensate: { name: unbook, type: body } }
            - { name: pay, type: body }`,
  },
  {
    title: "retries of a container, by a saga around it",
    bodies: () => ({ left: failing(1) }),
    build: (run) =>
      start()
        .saga((b) => b.parallel((p) => p.branch((c) => c.then(run.left!)).branch((c) => c.then(run.right!))))
        .id("parallel/saga")
        .onError(retry({ interval: "10s", maxRetries: 1 })),
    yaml: `
      steps:
        - name: parallel
          retry: { interval: 10s, max_retries: 1 }
          parallel: [{ name: left, type: body }, { name: right, type: body }]`,
  },
  {
    title: "the workflow as a saga",
    bodies: () => ({ three: failing() }),
    build: (run) =>
      start()
        .then(run.one!)
        .compensateWithSequence((b) => b.then(run.undoOne!))
        .then(run.two!)
        .compensateWithSequence((b) => b.then(run.undoTwo!))
        .then(run.three!),
    status: "failed",
    yaml: `
      steps:
        - { name: one, type: body, compensate: { name: undoOne, type: body } }
        - { name: two, type: body, compensate: { name: undoTwo, type: body } }
        - { name: three, type: body }`,
  },
  {
    title: "a failing item cancels the others",
    bodies: () => ({ pack: failing(1) }),
    build: (run) =>
      start().forEach(
        () => [1, 2, 3],
        (b) => b.then(run.pack!),
        { concurrency: 1 },
      ),
    status: "failed",
    yaml: `
      steps:
        - { name: for-each, type: for_each, items: [1, 2, 3], concurrency: 1, steps: [{ name: pack, type: body }] }`,
  },
  {
    title: "a step that is cancelled by a condition before it begins",
    build: (run) =>
      start()
        .then(run.one!)
        .then(run.two!)
        .cancelWhen((data) => data.stop, { proceed: true })
        .then(run.three!),
    data: { stop: true },
    yaml: `
      inputs: { stop: bool }
      steps:
        - { name: one, type: body }
        - { name: two, type: body, cancel_when: { when: { field: .inputs.stop, equals: true }, proceed: true } }
        - { name: three, type: body }`,
  },
  {
    title: "a step that takes too long",
    bodies: () => ({ one: () => new Promise(() => {}) }),
    build: (run) => start().then(run.one!).timeout("30s").onError("ignore").then(run.two!),
    yaml: `
      steps:
        - { name: one, type: body, timeout: 30s, error_behavior: { type: ignore } }
        - { name: two, type: body }`,
  },
  {
    title: "a graph with a node that fails",
    bodies: () => ({ b: failing() }),
    build: (run) =>
      start().graph((g) =>
        g
          .node("a", run.a!)
          .node("b", run.b!)
          .node("c", run.c!, { needs: ["b"] }),
      ),
    status: "failed",
    yaml: `
      steps:
        - { name: a, type: body }
        - { name: b, type: body }
        - { name: c, type: body, needs: [b] }`,
  },
];
