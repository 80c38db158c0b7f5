import { ExecutionResult, retry, workflow, type WorkflowBuilder, type WorkflowDefinition } from "@wfe/core";

type Build = (id: string, version: number) => WorkflowDefinition;

/** What untyped code may do: give a promise where a value is expected. It rejects, and nobody but the engine has it. */
function load(): any {
  return Promise.reject(new Error("connection refused"));
}

/** A promise class whose instances cannot be handled like others. */
class Unruly extends Promise<never> {
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }
  override then(): any {
    throw new Error("was called");
  }
}

function failing(): never {
  throw new Error("from the body");
}

const child = workflow<any>()
  .then(() => 1)
  .build("child", 1);

/** A workflow for each of the places where a definition's own function may give a promise; each of them fails at step `here`. */
export function promiseWorks(): readonly WorkflowDefinition[] {
  const places: Readonly<Record<string, (b: WorkflowBuilder<any>) => { readonly build: Build }>> = {
    condition: (b) => b.ifDo(load, (then) => then.then(() => 1)).id("here"),
    "value-of-decide": (b) => b.decide(load, { default: (other) => other.then(() => 1) }).id("here"),
    "while-condition": (b) => b.whileDo(load, (body) => body.then(() => 1)).id("here"),
    items: (b) => b.forEach(load, (body) => body.then(() => 1)).id("here"),
    "several-items": (b) =>
      b
        .forEach(
          () => [load(), [load()]],
          (body) => body.then(() => 1),
        )
        .id("here"),
    "input-map": (b) => b.then(() => 1, load).id("here"),
    "inside-an-input": (b) =>
      b
        .then(
          () => 1,
          () => ({ a: load(), b: new Map([[1, load()]]), c: new Set([load()]) }),
        )
        .id("here"),
    "output-map": (b) =>
      b
        .then(() => 1)
        .id("here")
        .output(load),
    "inside-a-patch": (b) =>
      b
        .then(() => 1)
        .id("here")
        .output(() => ({ a: load() })),
    key: (b) => b.waitFor("e", load).id("here"),
    "time-out": (b) => b.waitFor("e", "k", { timeout: load }).id("here"),
    delay: (b) => b.delay(load).id("here"),
    date: (b) => b.sleepUntil(load).id("here"),
    "cancel-when": (b) => b.delay("1h").id("here").cancelWhen(load),
    "message-of-fail": (b) => b.fail(load).id("here"),
    "input-of-a-child": (b) => b.runWorkflow(child, load).id("here"),
    "of-a-class-of-its-own": (b) =>
      b
        .ifDo(
          () => Unruly.reject(new Error("connection refused")) as any,
          (then) => then.then(() => 1),
        )
        .id("here"),
    "thrown-by-a-body": (b) =>
      b
        .then(() => {
          throw load();
        })
        .id("here"),
    "inside-an-output": (b) => b.then(() => ({ a: load(), f: failing as any, later: [load()] })).id("here"),
    "inside-a-result": (b) => b.then(() => ExecutionResult.sleep(load(), { a: load() })).id("here"),
    "retry-when": (b) =>
      b
        .then(failing)
        .id("here")
        .onError(retry({ when: load })),
  };
  return Object.entries(places).map(([id, place]) => place(workflow<any>()).build(id, 1));
}
