/** What the wrong programs have to work with. */
export const prologue = `
import { event, ExecutionResult, retry, transactionalStep, workflow } from "@wfe/core";
import type { StepContext, TransactionalStep, WorkflowBuilder, WorkflowDefinition } from "@wfe/core";
interface Data { n: number; text: string; items: string[]; note?: string }
declare const begin: ReturnType<typeof workflow<Data>>;
declare function text(): Promise<string>;
declare function count(): number;
declare const child: WorkflowDefinition<{ n: number }, { done: boolean }>;
const approved = event<{ by: string }>("approved");
const wait = begin.waitFor(approved, "k");
const saga = begin.saga((b) => b.then(text));
class AsksForMore { run(data: Data & { more: string }): string { return data.more; } }
class HasNoRun { go(): void {} }
declare function inTransaction<Input, Output>(run: (input: Input, ctx: StepContext & { tx: string }) => Output): TransactionalStep<Input, Output>;
const charged = (b: WorkflowBuilder<{ n: number }>) => b.then(text).as("charge");
`;

/** One program each that must not compile: why, the program, and words that the compiler's message has. */
// oxfmt-ignore
export const wrongPrograms: readonly (readonly [why: string, program: string, message: RegExp])[] = [
  // Steps and their inputs.
  ["the data has no such field: an input map is needed", `begin.then((input: { amount: number }) => input.amount)`, /'amount' is missing/],
  ["the mapped input does not fit", `begin.then((input: { amount: number }) => 1, (data) => ({ amount: data.text }))`, /'string' is not assignable to type 'number'/],
  ["an input map is synchronous", `begin.then((input: { amount: number }) => 1, async (data) => ({ amount: data.n }))`, /Promise/],
  ["an input map is synchronous, whatever the step takes", `begin.then((input: unknown) => 1, async (data) => ({ n: data.n }))`, /Promise.*Synchronous/],
  ["a class asks for data that is not there", `begin.then(AsksForMore)`, /'more' is missing/],
  ["a class without run is no step", `begin.then(HasNoRun)`, /'run' is missing/],
  ["text is no step", `begin.then("step")`, /not assignable to parameter of type 'Step</],
  ["thenFn takes functions alone", `begin.thenFn(AsksForMore)`, /no match for the signature/],
  ["a transactional step asks for data that is not there", `begin.then(inTransaction((input: { id: string }) => input.id))`, /'id' is missing/],
  ["a child's data does not fit", `workflow<{ m: number }>().runWorkflow(child)`, /No overload/],
  ["a child's mapped data does not fit", `workflow<{ m: number }>().runWorkflow(child, (data) => ({ n: String(data.m) }))`, /'string' is not assignable to type 'number'/],

  // What can be stored.
  ["a function cannot be stored", `begin.then(() => ({ done: () => {} }))`, /cannot be stored.*output\.done/],
  ["a symbol cannot be stored", `begin.then(() => Symbol("s"))`, /cannot be stored/],
  ["nor something deep inside", `begin.then(async () => ({ list: [{ retry: (): void => {} }] }))`, /output\.list\[\]\.retry/],
  ["an object with methods cannot be stored", `begin.then(() => new URL("https://example.org"))`, /cannot be stored.*output\./],
  ["nor in a result", `begin.then(() => ExecutionResult.next({ f: () => 1 }))`, /cannot be stored.*output\.f/],

  // Keys.
  ["an existing key keeps its type", `begin.then(count).as("text")`, /the output does not fit the type of data\.text/],
  ["an existing key keeps its type under .output", `begin.then(count).output(() => ({ text: 1 }))`, /'number' is not assignable/],
  ["a key of the chain keeps its type", `begin.then(count).as("k").then(text).as("k")`, /the output does not fit the type of data\.k/],
  ["a forEach's key keeps its type", `begin.forEach((data) => data.items, (b) => b.then(count), { as: "text" })`, /the output does not fit the type of data\.text/],
  ["the output goes to one place", `begin.then(count).as("x").output(() => ({ y: 1 }))`, /use one or the other/],
  ["an output map is synchronous", `begin.then(count).output(async () => ({ extra: 1 }))`, /an output map is synchronous/],
  ["two branches set one key", `begin.parallel((p) => p.branch((b) => b.then(text).as("a")).branch((b) => b.then(text).as("a")))`, /another branch sets the same key.*"a"/],
  ["two branches set a key that was there", `begin.parallel((p) => p.branch((b) => b.then(count).as("n")).branch((b) => b.then(count).as("n")))`, /another branch sets the same key.*"n"/],

  // Which modifier where.
  ["nothing to modify yet", `begin.name("n")`, /'name' does not exist/],
  ["a child has no body that a crash could interrupt", `begin.runWorkflow(child).onCrash("fail")`, /'onCrash' does not exist/],
  ["a wait's time-out is its option", `wait.timeout("1s")`, /'timeout' does not exist/],
  ["a wait has no body", `wait.onCrash("fail")`, /'onCrash' does not exist/],
  ["a saga's output says only how it ended", `saga.output(() => ({ x: 1 }))`, /'output' does not exist/],
  ["a saga has no body of its own", `saga.onCrash("fail")`, /'onCrash' does not exist/],
  ["a container has no errors of its own", `begin.ifDo(() => true, (b) => b.then(text)).onError("ignore")`, /'onError' does not exist/],
  ["a timer has no output", `begin.delay("1s").as("x")`, /'as' does not exist/],
  ["an end is not cancelled", `begin.endWorkflow().cancelWhen(() => true)`, /'cancelWhen' does not exist/],
  ["a failure does not fail", `begin.fail("no").onError("ignore")`, /'onError' does not exist/],
  ["a node's key is its id", `begin.graph((g) => g.node("a", text).as("x"))`, /'as' does not exist/],
  ["a node has an id", `begin.graph((g) => g.node("a", text).id("x"))`, /'id' does not exist/],
  ["a node's output goes to its id", `begin.graph((g) => g.node("a", text).output(() => ({ x: 1 })))`, /'output' does not exist/],
  ["modifiers belong into the fragment", `begin.use(charged).as("x")`, /'as' does not exist/],

  // Values of modifiers and options.
  ["no such behavior", `begin.then(text).onError("retry")`, /No overload|not assignable/],
  ["retry is to be called", `begin.then(text).onError(retry)`, /No overload|not assignable/],
  ["no such option of retry", `retry({ maxRetrys: 3 })`, /'maxRetrys' does not exist|Did you mean/],
  ["no such duration", `begin.then(text).timeout("3 seconds")`, /"3 seconds"/],
  ["no such unit", `begin.delay("1y")`, /"1y"/],
  ["a crash is not ignored", `begin.then(text).onCrash("ignore")`, /"ignore"/],
  ["no such option of forEach", `begin.forEach((data) => data.items, (b) => b.then(text), { concurency: 4 })`, /'concurency' does not exist|Did you mean/],
  ["no such option of parallel", `begin.parallel((p) => p.branch((b) => b.then(text)), { concurrency: 4 })`, /'concurrency' does not exist/],
  ["no such option of waitFor", `begin.waitFor("e", "k", { timout: "1s" })`, /'timout' does not exist|Did you mean/],
  ["onTimeout would never run without a time-out", `begin.waitFor(approved, "k", { onTimeout: (b) => b.then(text) })`, /onTimeout|timeout/],

  // Functions of the data are synchronous, and bodies only describe.
  ["the condition of ifDo is synchronous", `begin.ifDo(async () => true, (b) => b.then(text))`, /Promise<boolean>/],
  ["the condition of whileDo is synchronous", `begin.whileDo(async () => true, (b) => b.then(text))`, /Promise<boolean>/],
  ["the condition of doWhile is synchronous", `begin.doWhile((b) => b.then(text), async () => true)`, /Promise<boolean>/],
  ["the value of decide is synchronous", `begin.decide(async () => "a", { a: (b) => b.then(text) })`, /Promise/],
  ["items are synchronous", `begin.forEach(async () => [1], (b) => b.then(text))`, /Promise<number\[\]>/],
  ["a key is synchronous", `begin.waitFor("e", async () => "k")`, /Promise/],
  ["a duration is synchronous", `begin.delay(async () => "1s" as const)`, /Promise/],
  ["the condition of cancelWhen is synchronous", `begin.then(text).cancelWhen(async () => true)`, /Promise/],
  ["a body is not async", `begin.saga(async (b) => { b.then(text); return b; })`, /await|Promise/],
  ["a body gives its builder back", `begin.saga((b) => { b.then(text); })`, /'void' is not assignable to type 'Built</],

  // The shape of the chain.
  ["nothing follows the end", `begin.endWorkflow().then(text)`, /'then' does not exist/],
  ["nothing follows a failure", `begin.fail("no").delay("1s")`, /'delay' does not exist/],
  ["a body is not built", `begin.saga((b) => b.then(text).build("x", 1))`, /WholeWorkflow/],
  ["no such case", `begin.decide((data) => data.n > 1, { true: (b) => b.then(text), yes: (b) => b.then(text) })`, /no value has this text/],
  ["no such outcome", `begin.then((data) => ExecutionResult.outcome(data.n > 1)).decide({ true: (b) => b, maybe: (b) => b.then(text) })`, /no value has this text/],
  ["an object has no text to decide by", `begin.then(() => ({ an: "object" })).decide({ a: (b) => b.then(text) })`, /no value has this text/],
  ["no such node", `begin.graph((g) => g.node("a", text).node("b", text, { needs: ["c"] }))`, /"c"' is not assignable to type '"a"'/],
  ["a node does not need itself", `begin.graph((g) => g.node("a", text, { needs: ["a"] }))`, /not assignable to type 'never'/],
  ["a node does not need a later one", `begin.graph((g) => g.node("a", text, { needs: ["b"] }).node("b", text))`, /not assignable to type 'never'/],
  ["two nodes have one id", `begin.graph((g) => g.node("a", text).node("a", text))`, /another node has the id a/],
  ["a node's key is of another type", `begin.graph((g) => g.node("n", text))`, /the output does not fit the type of data\.n/],
  ["the data does not fit a node", `begin.graph((g) => g.node("a", (input: { m: number }) => input.m))`, /'m' is missing/],
  ["a node reads what it does not need", `begin.graph((g) => g.node("a", text).node("b", (data) => data.a))`, /'a' does not exist/],
  ["a fragment needs data that is not there", `workflow<{ m: number }>().use(charged)`, /the fragment needs data that is not there/],
  ["a fragment's key is of another type", `begin.then(count).as("charge").use(charged)`, /the fragment sets a key that exists/],

  // A builder is not a promise.
  ["a builder is not awaited", `async function f() { await begin.then(text); }`, /NotAPromise/],
  ["a builder with no step is not awaited", `async function f() { await begin; }`, /NotAPromise/],
  ["a builder after a container is not awaited", `async function f() { await begin.delay("1s"); }`, /NotAPromise/],
  ["a builder is not returned from an async function", `async function f() { return begin.then(text); }`, /callable 'then' member/],
];
