// Compiled, never run: which modifier where.
import { event, retry, workflow, type WorkflowDefinition } from "@wfe/core";
import { is, type Same } from "./assertions.ts";

declare const begin: ReturnType<typeof workflow<{ n: number; items: string[] }>>;
declare function text(): Promise<string>;
declare const child: WorkflowDefinition<{ n: number }, { done: boolean }>;

/** A step takes all of them. */
export function steps(): void {
  begin
    .then(text)
    .name("n")
    .id("i")
    .as("x")
    .onError(retry({ maxRetries: 1 }))
    .timeout("1s")
    .compensateWith(text)
    .compensateWithSequence((b) => b.then(text).onError(retry()))
    .onFailure((b) => b.then(text))
    .ensure((b) => b.then(text))
    .onCrash("suspend")
    .cancelWhen(() => true);
  begin.then(text).output(() => ({ x: 1 }));
}

export function children(): void {
  begin
    .runWorkflow(child)
    .name("n")
    .id("i")
    .as("x")
    .onError("ignore")
    .timeout("1h")
    .compensateWith(text)
    .onFailure((b) => b.then(text))
    .ensure((b) => b.then(text))
    .cancelWhen(() => true);
  begin.runWorkflow(child).output((_, out) => ({ done: out.done }));
  begin
    .runWorkflow("child", (data) => data, { version: 2 })
    .as("x")
    .then(text);
  workflow<{ m: number }>().runWorkflow(child, (data) => ({ n: data.m }));
}

export function waits(): void {
  const wait = begin.waitFor(event("e"), "k");
  wait
    .name("n")
    .id("i")
    .as("x")
    .onError("suspend")
    .compensateWith(text)
    .onFailure((b) => b.then(text))
    .ensure((b) => b.then(text))
    .cancelWhen(() => true);
  wait.output(() => ({ x: 1 }));
}

export function sagas(): void {
  const saga = begin.saga((b) => b.then(text));
  saga
    .name("n")
    .id("i")
    .as("x")
    .onError(retry())
    .timeout("1h")
    .compensateWith(text)
    .onFailure((b) => b.then(text))
    .ensure((b) => b.then(text))
    .cancelWhen(() => true);
}

/** The modifiers that a builder offers. */
type Offered<Builder> = Extract<
  keyof Builder,
  | "name"
  | "id"
  | "as"
  | "output"
  | "onError"
  | "timeout"
  | "compensateWith"
  | "compensateWithSequence"
  | "onFailure"
  | "ensure"
  | "onCrash"
  | "cancelWhen"
>;
type OfContainers = "name" | "id" | "cancelWhen" | "onFailure" | "ensure";
declare function offers<Builder>(builder: Builder): Offered<Builder>;

/** Containers and timers take few; for others a saga around them does. */
export function containers(): void {
  const found = [
    offers(
      begin.ifDo(
        () => true,
        (b) => b.then(text),
      ),
    ),
    offers(begin.decide((data) => data.n, { 1: (b) => b.then(text) })),
    offers(
      begin.whileDo(
        () => true,
        (b) => b.then(text),
      ),
    ),
    offers(
      begin.doWhile(
        (b) => b.then(text),
        () => true,
      ),
    ),
    offers(
      begin.forEach(
        (data) => data.items,
        (b) => b.then(text),
      ),
    ),
    offers(begin.parallel((p) => p.branch((b) => b.then(text)))),
    offers(begin.graph((g) => g.node("a", text))),
    offers(begin.delay("1s")),
    offers(begin.sleepUntil(new Date())),
  ] as const;
  is<Same<(typeof found)[number], OfContainers>>();
  is<Same<Offered<typeof begin>, never>>();
  begin
    .delay("1s")
    .name("n")
    .id("i")
    .cancelWhen(() => true)
    .onFailure((b) => b.then(text))
    .ensure((b) => b.then(text))
    .then(text);
  begin.endWorkflow().name("n").id("i").build("x", 1);
}

export function nodes(): void {
  begin.graph((g) =>
    g
      .node("a", text)
      .name("n")
      .onError("ignore")
      .timeout("1s")
      .compensateWith(text)
      .onFailure((b) => b.then(text))
      .ensure((b) => b.then(text))
      .onCrash("fail")
      .cancelWhen(() => true),
  );
}
