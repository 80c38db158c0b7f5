// Compiled, never run: parallel, graph, fragments, schemas, and builders that are taken for promises.
import {
  workflow,
  type StandardSchema,
  type StepContext,
  type WorkflowBuilder,
  type WorkflowDefinition,
} from "@wfe/core";
import { is, type Same } from "./assertions.ts";

declare const begin: ReturnType<typeof workflow<{ n: number; note?: string }>>;
declare function text(): Promise<string>;
declare function count(): number;

export function parallel(): void {
  begin
    .parallel((p) =>
      p
        .branch((b) => b.then(text).as("a"))
        .branch((b) =>
          b
            .then(count)
            .as("b")
            .ifDo(
              () => true,
              (c) => c.then(text).as("c"),
            ),
        ),
    )
    .thenFn((data) => {
      is<Same<typeof data.a, string>>();
      is<Same<typeof data.b, number>>();
      is<Same<typeof data.c, string | undefined>>();
    });
  // Adding to what is there is made one at a time.
  begin.parallel((p) =>
    p
      .branch((b) => b.then(count).output((data, out) => ({ n: data.n + out })))
      .branch((b) => b.then(count).output((data, out) => ({ n: data.n + out }))),
  );
  begin.parallel((p) =>
    p
      .branch((b) => b.then(text).as("a"))
      .branch((b) =>
        b.then((data) => {
          // @ts-expect-error a neighbour's key
          void data.a;
        }),
      ),
  );
}

export function graph(): void {
  begin
    .graph(
      (g) =>
        g
          .node("sources", text)
          .node("compiled", (data, ctx: StepContext) => data.sources.length + ctx.step.attempt, { needs: ["sources"] })
          .timeout("1m")
          .node("linted", text, { needs: ["sources"] })
          .onError("ignore")
          .node("packed", (input: { size: number }) => ({ size: input.size }), {
            needs: ["compiled", "linted"],
            input: (data) => {
              is<Same<typeof data.compiled, number>>();
              is<Same<typeof data.linted, string | undefined>>();
              // What its needs needed is there, too.
              is<Same<typeof data.sources, string>>();
              return { size: data.compiled };
            },
          })
          .compensateWith((data) => is<Same<typeof data.packed, { size: number } | undefined>>()),
      { concurrency: 2 },
    )
    .thenFn((data) => {
      is<Same<typeof data.packed, { size: number }>>();
      is<Same<typeof data.linted, string | undefined>>();
      is<Same<typeof data.n, number>>();
    });
  begin.graph((g) =>
    g.node("a", text).node("b", (data) => {
      // @ts-expect-error it does not need `a`, which may not have run
      void data.a;
    }),
  );
}

function charged(b: WorkflowBuilder<{ n: number }>) {
  return b
    .then(text)
    .as("charge")
    .then(count, (data) => data)
    .as("receipt");
}
function ending(b: WorkflowBuilder<{ n: number }>) {
  return b.ifDo(
    (data) => data.n > 1,
    (c) => c.endWorkflow(),
  );
}
export function fragments(): void {
  begin
    .then(text)
    .as("first")
    .use(charged)
    .thenFn((data) => {
      is<Same<typeof data.charge, string>>();
      is<Same<typeof data.receipt, number>>();
      is<Same<typeof data.first, string>>();
    });
  begin.use((b) => b.then((data) => data.n).as("x")).thenFn((data) => is<Same<typeof data.x, number>>());
  const early = begin.use(ending).then(text).as("late").build("x", 1);
  is<
    Same<
      typeof early extends WorkflowDefinition<any, infer Result> ? Result : never,
      { n: number; note?: string; late?: string }
    >
  >();
  begin
    .saga((b) => b.use(charged))
    .forEach(
      () => [1],
      (b) => b.use(charged),
      { as: "all" },
    )
    .thenFn((data) => is<Same<typeof data.all, number[]>>());
  begin.use(charged).use(charged);
  const definition = begin.use(charged).build("x", 1);
  is<Same<typeof definition extends WorkflowDefinition<infer Data> ? Data : never, { n: number; note?: string }>>();
}

export function schemas(): void {
  const schema = null as unknown as StandardSchema<{ n?: string }, { n: number }>;
  const definition = workflow({ data: schema })
    .thenFn((data) => is<Same<typeof data, { n: number }>>())
    .build("x", 1);
  is<Same<typeof definition, WorkflowDefinition<{ n?: string }, { n: number }>>>();
}
