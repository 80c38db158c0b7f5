import { describe, expect, it } from "vitest";
import { workflow } from "../../src/builder/workflow.ts";
import { InvalidDefinitionError, InvalidOptionError } from "../../src/errors.ts";
import { begin, bill, pack, problemsOf, ship, untyped } from "./steps.ts";

const yes = (): boolean => true;
const some = (b: any): any => b.then(pack);
const nothing = (b: any): any => b;

/** A chain, and the problems it has: the step's id, and words of the message. */
const wrong: readonly (readonly [
  claim: string,
  chain: () => any,
  ...problems: (readonly [string | undefined, string])[],
])[] = [
  ["no steps", () => untyped(), [undefined, "has no steps"]],
  [
    "a first step that is not the first",
    () => untyped().startWith(bill).then(pack).startWith(ship),
    ["ship", "`startWith` is for the first step of a chain, and others come before this one: use `then`"],
  ],
  [
    "a first step after a fragment",
    () => untyped().use(some).startWith(ship),
    ["ship", "`startWith` is for the first step of a chain"],
  ],
  [
    "a first step in the middle of a body",
    () => untyped().saga((b: any) => b.startWith(pack).startWith(ship)),
    ["ship", "`startWith` is for the first step of a chain"],
  ],

  // Functions.
  ["a step that is none", () => untyped().then("pack"), ["step", "must be a function, or a class"]],
  ["a generator for a step", () => untyped().then(function* walk() {}), ["walk", "generator"]],
  [
    "an input map that is none",
    () => untyped().then(pack, { n: 1 }),
    ["pack", "the input map must be a function of the data, got an object"],
  ],
  ["an async input map", () => untyped().then(pack, async () => 1), ["pack", "must not be an async function"]],
  [
    "an async condition",
    () => untyped().ifDo(async () => true, some),
    ["if", "the condition of `ifDo` must not be an async function"],
  ],
  [
    "a condition that is a value",
    () => untyped().whileDo(true, some),
    ["while", "must be a function of the data, got true"],
  ],
  [
    "an async decision",
    () => untyped().decide(async () => "a", { a: some }),
    ["decide", "must not be an async function"],
  ],
  [
    "a decision without a function",
    () => untyped().decide("a", { a: some }),
    ["decide", 'must be a function of the data, got "a"'],
  ],
  [
    "items that are none",
    () => untyped().forEach([1, 2], some),
    ["for-each", "the items of `forEach` must be a function of the data, got an array"],
  ],
  ["an async key", () => untyped().waitFor("e", async () => "k"), ["wait", "the key must not be an async function"]],
  [
    "an async output map",
    () =>
      untyped()
        .then(pack)
        .output(async () => ({})),
    ["pack", "the map of `.output` must not be an async function"],
  ],
  [
    "an async cancellation",
    () =>
      untyped()
        .then(pack)
        .cancelWhen(async () => true),
    ["pack", "must not be an async function"],
  ],

  // Bodies.
  [
    "a body that is none",
    () => untyped().saga("x"),
    ["saga", 'the body of `saga` must be a function from builder to builder, got "x"'],
    ["saga", "is empty"],
  ],
  ["an async body", () => untyped().saga(async (b: any) => b), ["saga", "must not be async"], ["saga", "is empty"]],
  [
    "a body that gives nothing back",
    () => untyped().saga((b: any) => void b.then(pack)),
    ["saga", "must give back the builder that it was given, got undefined"],
    ["saga", "is empty"],
  ],
  [
    "a body that gives a promise back",
    () => untyped().saga((b: any) => Promise.resolve(b)),
    ["saga", "got a promise"],
    ["saga", "is empty"],
  ],
  [
    "a body that gives another builder back",
    () => untyped().saga(() => begin.then(pack)),
    ["saga", "got another builder"],
    ["saga", "is empty"],
  ],
  [
    "a body that goes on with the chain around it",
    () => untyped().saga((b: any) => b.saga(() => b.then(pack))),
    ["saga/saga", "got another builder"],
    ["saga/saga", "is empty"],
  ],
  [
    "a fragment that is none",
    () =>
      untyped()
        .then(pack)
        .use(() => untyped().then(ship)),
    [undefined, "the fragment of `use` must give back"],
  ],
  [
    "a body that is built",
    () => untyped().saga((b: any) => b.then(pack).build("inner", 1)),
    [undefined, "`build` is for the whole workflow"],
  ],

  // Empty bodies.
  ["an empty if", () => untyped().ifDo(yes, nothing, nothing), ["if", "does nothing"]],
  ["an empty decision", () => untyped().decide(yes, { true: nothing }), ["decide", "does nothing"]],
  ["a decision without cases", () => untyped().decide(yes), ["decide", "takes an object of cases"]],
  ["an empty loop", () => untyped().whileDo(yes, nothing), ["while", "the body of `whileDo` is empty"]],
  ["an empty forEach", () => untyped().forEach(yes, nothing), ["for-each", "is empty"]],
  ["a parallel without branches", () => untyped().parallel(nothing), ["parallel", "has no branches"]],
  [
    "an empty branch",
    () => untyped().parallel((p: any) => p.branch(some).branch(nothing)),
    ["parallel", "branch 2 of `parallel` is empty"],
  ],
  ["a graph without nodes", () => untyped().graph(nothing), ["graph", "has no nodes"]],
  ["a parallel that is none", () => untyped().parallel(() => undefined), ["parallel", "must give back the builder"]],
  ["a graph that is none", () => untyped().graph(undefined), ["graph", "must give back the builder"]],
  ["an empty saga", () => untyped().saga(nothing), ["saga", "is empty"]],
  ["an empty hook", () => untyped().then(pack).onFailure(nothing), ["pack", "the body of `.onFailure` is empty"]],
  ["an empty undoing", () => untyped().then(pack).compensateWithSequence(nothing), ["pack", "is empty"]],
  ["an empty reminder", () => untyped().waitFor("e", "k", { remind: { every: 1 } }), ["wait", "`remind.do` is empty"]],

  // Options.
  [
    "an unknown option",
    () => untyped().forEach(yes, some, { concurency: 1 }),
    ["for-each", "`forEach` has no option `concurency`; it has `concurrency`"],
  ],
  [
    "options that are none",
    () => untyped().forEach(yes, some, 4),
    ["for-each", "the options of `forEach` must be an object, got 4"],
  ],
  [
    "no concurrency",
    () => untyped().forEach(yes, some, { concurrency: 0 }),
    ["for-each", "`concurrency` must be a whole number from 1, got 0"],
  ],
  [
    "half a concurrency",
    () => untyped().graph((g: any) => g.node("a", pack), { concurrency: 1.5 }),
    ["graph", "must be a whole number from 1, got 1.5"],
  ],
  [
    "no such onFailure",
    () => untyped().parallel((p: any) => p.branch(some), { onFailure: "ignore" }),
    ["parallel", '`onFailure` must be "cancel" or "wait", got "ignore"'],
  ],
  [
    "onTimeout without timeout",
    () => untyped().waitFor("e", "k", { onTimeout: some }),
    ["wait", "`onTimeout` has no effect without `timeout`"],
  ],
  [
    "a time-out that is no duration",
    () => untyped().waitFor("e", "k", { timeout: "soon" }),
    ["wait", "`timeout` must be a duration"],
  ],
  [
    "reminders without a pause",
    () => untyped().waitFor("e", "k", { remind: { every: 0, do: some } }),
    ["wait", "must be longer than 0"],
  ],
  [
    "no such asOf",
    () => untyped().waitFor("e", "k", { asOf: "yesterday" }),
    ["wait", '`asOf` (or a Date) must be "start"'],
  ],
  [
    "a date that is none",
    () => untyped().waitFor("e", "k", { asOf: new Date("x") }),
    ["wait", "`asOf` is not a valid date"],
  ],
  [
    "a delay that is no duration",
    () => untyped().delay("-1s"),
    ["delay", "the duration of `delay` must be a duration"],
  ],
  [
    "a date to sleep until that is none",
    () => untyped().sleepUntil("tomorrow"),
    ["sleep-until", "must be a Date, or milliseconds"],
  ],
  ["a message that is none", () => untyped().fail(404), ["fail", "the message of `fail` must be text, got 404"]],

  // Events.
  [
    "an event that is none",
    () => untyped().waitFor(undefined, "k"),
    ["wait", "must be made by `event(name)`, or be a name"],
  ],
  ["an event without a name", () => untyped().waitFor("", "k"), ["wait", "the name of the event must not be blank"]],
  ["a wait without a key", () => untyped().waitFor("e"), ["wait", "the event has no key"]],
  [
    "a key that is too long",
    () => untyped().waitFor("e", "k".repeat(513)),
    ["wait", "the key must have at most 512 bytes"],
  ],
  ["no events", () => untyped().waitForAny({}, "k"), ["wait", "waits for nothing"]],
  ["events that are none", () => untyped().waitForAll(["e"], "k"), ["wait", "takes an object of events"]],
  [
    "one of the events without a key",
    () => untyped().waitForAny({ a: { event: "a", key: "k" }, b: "b" }),
    ["wait", "the event of `b` has no key"],
  ],
  [
    "a key that no event needs",
    () => untyped().waitForAny({ a: { event: "a", key: "k" } }, "k"),
    ["wait", "the `key` has no effect"],
  ],

  // Graphs.
  [
    "a node that needs a later one",
    () => untyped().graph((g: any) => g.node("a", pack, { needs: ["b"] }).node("b", pack)),
    ["graph", "node `a` needs `b`, which comes later"],
  ],
  [
    "a node that needs itself",
    () => untyped().graph((g: any) => g.node("a", pack, { needs: ["a"] })),
    ["graph", "node `a` needs itself"],
  ],
  [
    "a node that needs a stranger",
    () => untyped().graph((g: any) => g.node("a", pack, { needs: ["b"] })),
    ["graph", "there is no such node"],
  ],
  [
    "a node that needs another twice",
    () => untyped().graph((g: any) => g.node("a", pack).node("b", pack, { needs: ["a", "a"] })),
    ["graph", "needs `a` twice"],
  ],
  [
    "needs that are none",
    () => untyped().graph((g: any) => g.node("a", pack).node("b", pack, { needs: "a" })),
    ["graph", "must be an array"],
  ],

  // Keys.
  [
    "two branches that set one key",
    () =>
      untyped().parallel((p: any) =>
        p.branch((b: any) => b.then(pack).as("x")).branch((b: any) => b.saga((c: any) => c.then(ship).as("x"))),
      ),
    ["parallel", "two branches set `data.x`"],
  ],
  [
    "a branch and a hook of another that set one key",
    () =>
      untyped().parallel((p: any) =>
        p
          .branch((b: any) => b.then(pack).as("x"))
          .branch((b: any) => b.then(ship).onFailure((c: any) => c.then(pack).as("x"))),
      ),
    ["parallel", "two branches set `data.x`"],
  ],
  ["a key that is no text", () => untyped().then(pack).as(1), ["pack", "the key of `.as` must be text, got 1"]],
  ["a key that is a prototype", () => untyped().then(pack).as("__proto__"), ["pack", 'must not be "__proto__"']],

  // Modifiers.
  ["a modifier of nothing", () => untyped().name("x").then(pack), [undefined, "`.name` has no step before it"]],
  ["a modifier of a fragment", () => untyped().use(some).as("x"), [undefined, "`.as` has no step before it"]],
  [
    "a modifier that a container does not take",
    () => untyped().ifDo(yes, some).onError("ignore"),
    ["if", "`if` takes no `.onError`; it takes `.name`, `.id`"],
  ],
  [
    "a modifier that a wait does not take",
    () => untyped().waitFor("e", "k").timeout("1s"),
    ["wait", "`wait` takes no `.timeout`"],
  ],
  [
    "a modifier that a child does not take",
    () => untyped().runWorkflow("c").onCrash("fail"),
    ["run-workflow", "takes no `.onCrash`"],
  ],
  ["a modifier that a saga does not take", () => untyped().saga(some).output(yes), ["saga", "takes no `.output`"]],
  ["a modifier that an end does not take", () => untyped().endWorkflow().ensure(some), ["end", "takes no `.ensure`"]],
  ["a modifier twice", () => untyped().then(pack).timeout(1).timeout(2), ["pack", "`.timeout` is given twice"]],
  [
    "an output that goes to two places",
    () => untyped().then(pack).as("x").output(yes),
    ["pack", "`.as` and `.output`"],
  ],
  ["a time-out of nothing", () => untyped().then(pack).timeout(0), ["pack", "`.timeout` must be longer than 0"]],
  ["no such behavior", () => untyped().then(pack).onError("retry"), ["pack", '`.onError` must be "fail"']],
  ["no such behavior after a crash", () => untyped().then(pack).onCrash("ignore"), ["pack", "`.onCrash` must be"]],
  [
    "no such proceed",
    () => untyped().then(pack).cancelWhen(yes, { proceed: 1 }),
    ["pack", "`proceed` must be true or false, got 1"],
  ],

  // Children.
  ["a child that is none", () => untyped().runWorkflow(pack), ["run-workflow", "takes a definition or the id of one"]],
  [
    "a child that was not built",
    () => untyped().runWorkflow(begin.then(pack)),
    ["run-workflow", "end the other chain with `.build"],
  ],
  [
    "a child of another version",
    () => untyped().runWorkflow(begin.then(pack).build("c", 1), undefined, { version: 2 }),
    ["run-workflow", "the definition is of version 1"],
  ],
  [
    "a child's version that is none",
    () => untyped().runWorkflow("c", undefined, { version: 0 }),
    ["run-workflow", "`version` must be a whole number from 1"],
  ],

  // Order.
  [
    "a step after the end",
    () => untyped().endWorkflow().then(pack),
    ["pack", "is never reached: `end` before it ends the workflow"],
  ],
  [
    "steps after a failure",
    () => untyped().ifDo(yes, (b: any) => b.fail("no").then(pack).then(ship)),
    ["pack", "is never reached"],
    ["ship", "is never reached"],
  ],
];

describe("build refuses", () => {
  it.for(wrong.map(([claim, chain, ...problems]) => ({ claim, chain, problems })))("$claim", ({ chain, problems }) => {
    const found = buildProblems(chain);
    expect(found.map(({ stepId }) => stepId)).toEqual(problems.map(([stepId]) => stepId));
    for (const [index, [, words]] of problems.entries()) expect(found[index]?.message).toContain(words);
  });

  it("all of a definition's problems at once, in a message that a person can read", () => {
    const chain = untyped()
      .then(pack)
      .timeout("soon")
      .saga((b: any) => b.then(ship).as(""));
    const build = (): unknown => chain.build("a\0b", 0, { desciption: "x" });
    expect(build).toThrow(InvalidDefinitionError);
    expect(build).toThrow(
      /cannot be built:\n {2}- the id of the workflow must not contain NUL\n {2}- the version must be a whole number from 1, got 0\n {2}- `build` has no option `desciption`.*\n {2}- step `pack`: `.timeout` must be a duration.*\n {2}- step `ship`: the key of `.as` must not be blank/,
    );
  });

  it("a version that is no whole number from 1", () => {
    for (const version of [0, -1, 1.5, Number.NaN, Infinity, "1", undefined])
      expect(() => untyped().then(pack).build("w", version)).toThrow("the version must be a whole number from 1");
  });

  it("a schema that is none", () => {
    expect(() => (workflow as any)({ data: {} })).toThrow(InvalidOptionError);
  });
});

describe("build takes", () => {
  const right: readonly (readonly [string, () => any])[] = [
    ["a case that does nothing", () => untyped().decide(yes, { true: nothing, default: some })],
    ["an if whose first branch does nothing", () => untyped().ifDo(yes, nothing, some)],
    ["a time-out that does nothing", () => untyped().waitFor("e", "", { timeout: 1, onTimeout: nothing })],
    ["one branch", () => untyped().parallel((p: any) => p.branch(some))],
    [
      "the same key in both branches of an if",
      () =>
        untyped().ifDo(
          yes,
          (b: any) => b.then(pack).as("x"),
          (b: any) => b.then(pack).as("x"),
        ),
    ],
    [
      "the same key in items of two branches",
      () =>
        untyped().parallel((p: any) =>
          p
            .branch((b: any) => b.forEach(yes, (c: any) => c.then(pack).as("x")))
            .branch((b: any) => b.then(pack).as("x")),
        ),
    ],
    [
      "an end in a branch, and at the end",
      () =>
        untyped()
          .ifDo(yes, (b: any) => b.endWorkflow())
          .then(pack)
          .endWorkflow(),
    ],
    ["a fragment of nothing", () => untyped().then(pack).use(nothing)],
    [
      "a definition's version, said again",
      () => untyped().runWorkflow(begin.then(pack).build("c", 4), undefined, { version: 4 }),
    ],
    ["the outcome of a wait", () => untyped().waitForAny({ a: "a", b: "b" }, "").decide({ a: some, default: nothing })],
  ];
  it.for(right.map(([claim, chain]) => ({ claim, chain })))("$claim", ({ chain }) => {
    expect(problemsOf(chain())).toEqual([]);
  });
});

/** Also those that are thrown where a body is built. */
function buildProblems(chain: () => any): readonly { stepId?: string; message: string }[] {
  try {
    return problemsOf(chain());
  } catch (error) {
    if (error instanceof InvalidDefinitionError) return error.problems;
    throw error;
  }
}
