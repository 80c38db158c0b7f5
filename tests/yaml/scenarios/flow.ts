import { workflow } from "@wfe/core";
import { giving, type AnyChain, type Scenario } from "./scenario.ts";

const start = (): AnyChain => workflow<any>() as AnyChain;

/** Sequences, branches, loops, items and graphs. */
export const flow: readonly Scenario[] = [
  {
    title: "two steps",
    build: (run) => start().then(run.one!).then(run.two!),
    yaml: `
      steps:
        - { name: one, type: body }
        - { name: two, type: body }`,
  },
  {
    title: "a branch that is taken, and one that is not",
    build: (run) =>
      start()
        .ifDo(
          (data) => data.n > 1,
          (b) => b.then(run.big!),
          (b) => b.then(run.small!),
        )
        .ifDo(
          (data) => data.n > 5,
          (b) => b.then(run.huge!),
        ),
    data: { n: 3 },
    yaml: `
      inputs: { n: integer }
      steps:
        - { name: if, type: if, when: { field: .inputs.n, gt: 1 }, steps: [{ name: big, type: body }], else: [{ name: small, type: body }] }
        - { name: if-2, type: if, when: \${{ inputs.n > 5 }}, steps: [{ name: huge, type: body }] }`,
  },
  {
    title: "a step under a condition",
    build: (run) =>
      start()
        .ifDo(
          () => false,
          (b) => b.then(run.skipped!),
        )
        .id("skipped/when")
        .then(run.after!),
    yaml: `
      steps:
        - { name: skipped, type: body, when: \${{ false }} }
        - { name: after, type: body }`,
  },
  {
    title: "cases by a value, and the default",
    build: (run) =>
      start()
        .decide((data) => data.color, { red: (b) => b.then(run.stop!), green: (b) => b.then(run.go!) })
        .decide((data) => data.color, { red: (b) => b.then(run.halt!), default: (b) => b.then(run.drive!) }),
    data: { color: "green" },
    yaml: `
      steps:
        - name: decide
          type: decide
          value: \${{ data.color }}
          cases:
            red: [{ name: stop, type: body }]
            green: [{ name: go, type: body }]
        - name: decide-2
          type: decide
          value: \${{ data.color }}
          cases:
            red: [{ name: halt, type: body }]
            default: [{ name: drive, type: body }]`,
  },
  {
    title: "a loop that asks before",
    bodies: () => ({ count: giving({ n: 1 }, { n: 2 }, { n: 3 }) }),
    build: (run) =>
      start().whileDo(
        (data) => (data.n ?? 0) < 3,
        (b) => b.then(run.count!).output((_data, out: any) => ({ n: out.n })),
      ),
    data: { n: 0 },
    yaml: `
      steps:
        - { name: while, type: while, when: { field: .inputs.n, lt: 3 }, steps: [{ name: count, type: body, outputs: [{ name: n }] }] }`,
  },
  {
    title: "a loop that asks after",
    bodies: () => ({ count: giving({ n: 1 }, { n: 2 }) }),
    build: (run) =>
      start().doWhile(
        (b) => b.then(run.count!).output((_data, out: any) => ({ n: out.n })),
        (data) => data.n < 2,
      ),
    yaml: `
      steps:
        - { name: do-while, type: do_while, when: { field: .outputs.n, lt: 2 }, steps: [{ name: count, type: body, outputs: [{ name: n }] }] }`,
  },
  {
    title: "a loop whose condition does not hold at first",
    build: (run) =>
      start()
        .whileDo(
          () => false,
          (b) => b.then(run.never!),
        )
        .then(run.after!),
    yaml: `
      steps:
        - { name: while, type: while, when: false, steps: [{ name: never, type: body }] }
        - { name: after, type: body }`,
  },
  {
    title: "items one after the other",
    build: (run) =>
      start().forEach(
        (data) => data.items,
        (b) => b.then(run.pack!).then(run.send!),
        { concurrency: 1 },
      ),
    data: { items: [1, 2, 3] },
    yaml: `
      steps:
        - { name: for-each, type: for_each, items: "\${{ data.items }}", concurrency: 1, steps: [{ name: pack, type: body }, { name: send, type: body }] }`,
  },
  {
    title: "items at the same time, collected",
    build: (run) =>
      start().forEach(
        (data) => data.items,
        (b) => b.then(run.pack!),
        { concurrency: 2, as: "packed" },
      ),
    data: { items: [1, 2, 3] },
    yaml: `
      steps:
        - { name: for-each, type: for_each, items: "\${{ data.items }}", concurrency: 2, as: packed, steps: [{ name: pack, type: body }] }`,
  },
  {
    title: "no items",
    build: (run) =>
      start()
        .forEach(
          () => [],
          (b) => b.then(run.pack!),
        )
        .then(run.after!),
    yaml: `
      steps:
        - { name: for-each, type: for_each, items: [], steps: [{ name: pack, type: body }] }
        - { name: after, type: body }`,
  },
  {
    title: "items within items",
    build: (run) =>
      start().forEach(
        (data) => data.rows,
        (b) =>
          b.forEach(
            (_data, at) => at.item as number[],
            (c) => c.then(run.cell!),
          ),
      ),
    data: { rows: [[1, 2], [3]] },
    yaml: `
      steps:
        - name: for-each
          type: for_each
          items: \${{ data.rows }}
          steps:
            - { name: for-each/for-each, type: for_each, items: "\${{ item }}", steps: [{ name: cell, type: body }] }`,
  },
  {
    title: "branches at the same time",
    build: (run) =>
      start()
        .parallel((p) => p.branch((b) => b.then(run.left!)).branch((b) => b.then(run.right!)))
        .then(run.joined!),
    yaml: `
      steps:
        - { name: parallel, parallel: [{ name: left, type: body }, { name: right, type: body }] }
        - { name: joined, type: body }`,
  },
  {
    title: "a graph, its nodes out of order in the file",
    build: (run) =>
      start().graph((g) =>
        g
          .node("a", run.a!)
          .node("b", run.b!, { needs: ["a"] })
          .node("c", run.c!, { needs: ["a"] })
          .node("d", run.d!, { needs: ["b", "c"] }),
      ),
    yaml: `
      steps:
        - { name: d, type: body, needs: [b, c] }
        - { name: c, type: body, needs: [a] }
        - { name: b, type: body, needs: [a] }
        - { name: a, type: body }`,
  },
  {
    title: "steps in a branch in a loop in an item",
    bodies: () => ({ work: giving({ done: false }, { done: true }) }),
    build: (run) =>
      start().forEach(
        () => [1],
        (b) =>
          b.doWhile(
            (c) =>
              c.ifDo(
                () => true,
                (d) => d.then(run.work!).as("last"),
              ),
            (data) => !data.last.done,
          ),
      ),
    yaml: `
      steps:
        - name: for-each
          type: for_each
          items: [1]
          steps:
            - name: do-while
              type: do_while
              when: { field: .outputs.done, equals: false }
              steps:
                - { name: if, type: if, when: true, steps: [{ name: work, type: body, outputs: [{ name: done }] }] }`,
  },
  {
    title: "an early end",
    build: (run) =>
      start()
        .ifDo(
          () => true,
          (b) => b.then(run.last!).endWorkflow(),
        )
        .then(run.never!),
    yaml: `
      steps:
        - { name: if, type: if, when: true, steps: [{ name: last, type: body }, { name: end, type: end }] }
        - { name: never, type: body }`,
  },
  {
    title: "a failure that is asked for",
    build: (run) => start().then(run.one!).fail("no"),
    status: "failed",
    yaml: `
      steps:
        - { name: one, type: body }
        - { name: fail, type: fail, config: { message: no } }`,
  },
];
