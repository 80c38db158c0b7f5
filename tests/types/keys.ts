// Compiled, never run: what the types say about keys that may be missing.
import { type ErrorBehavior, event, ExecutionResult, retry, type workflow, type WorkflowDefinition } from "@wfe/core";
import { is, type Same } from "./assertions.ts";

interface Data {
  n: number;
  items: string[];
  status: "open" | "done";
  note?: string;
}
declare const begin: ReturnType<typeof workflow<Data>>;
declare function text(): Promise<string>;
declare function count(): number;
type EndOf<Definition> = Definition extends WorkflowDefinition<any, infer Result> ? Result : never;

export function branches(): void {
  begin
    .ifDo(
      (data) => data.n > 1,
      (b) => b.then(text).as("both").then(count).as("one"),
      (b) => b.then(text).as("both"),
    )
    .thenFn((data) => {
      is<Same<typeof data.both, string>>();
      is<Same<typeof data.one, number | undefined>>();
    });
  begin
    .ifDo(
      () => true,
      (b) => b.then(text).as("one"),
    )
    .thenFn((data) => is<Same<typeof data.one, string | undefined>>());
  // Of different types in two branches: one or the other.
  begin
    .ifDo(
      () => true,
      (b) => b.then(text).as("x"),
      (b) => b.then(count).as("x"),
    )
    .thenFn((data) => is<Same<typeof data.x, string | number>>());
  // A branch that ends the workflow does not count.
  begin
    .ifDo(
      () => true,
      (b) => b.then(text).as("x"),
      (b) => b.then(count).as("y").fail("no"),
    )
    .thenFn((data) => {
      is<Same<typeof data.x, string>>();
      // @ts-expect-error what failed adds nothing
      void data.y;
    });
  // An optional key that both branches set is there; one that exists stays what it was.
  begin
    .ifDo(
      () => true,
      (b) => b.then(text).as("note"),
      (b) => b.then(text).as("note").then(count).as("n"),
    )
    .thenFn((data) => {
      is<Same<typeof data.note, string>>();
      is<Same<typeof data.n, number>>();
    });
}

declare const behavior: ErrorBehavior;
declare const proceed: boolean;
export function undecided(): void {
  begin
    .then(text)
    .as("x")
    .onError(behavior)
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  begin
    .then(text)
    .as("x")
    .cancelWhen(() => true, { proceed })
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  // A condition that is missing does not hold.
  begin.ifDo(
    (data) => data.note?.startsWith("a"),
    (b) => b.then(text),
  );
}

export function decisions(): void {
  begin
    .decide((data) => data.status, {
      open: (b) => b.then(text).as("x"),
      done: (b) => b.then(text).as("x").then(count).as("y"),
    })
    .thenFn((data) => {
      is<Same<typeof data.x, string>>();
      is<Same<typeof data.y, number | undefined>>();
    });
  begin
    .decide((data) => data.status, { open: (b) => b.then(text).as("x") })
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  begin
    .decide((data) => data.n, { 1: (b) => b.then(text).as("x"), default: (b) => b.then(text).as("x") })
    .thenFn((data) => is<Same<typeof data.x, string>>());
  begin
    .decide((data) => data.n, { 1: (b) => b.then(text).as("x"), default: (b) => b.endWorkflow() })
    .thenFn((data) => is<Same<typeof data.x, string>>());
  begin
    .decide((data) => data.n > 1, { true: (b) => b.then(text).as("x"), false: (b) => b.then(text).as("x") })
    .thenFn((data) => is<Same<typeof data.x, string>>());
}

export function outcomes(): void {
  begin
    .then(() => ExecutionResult.outcome(Math.random() > 0.5 ? "yes" : "no"))
    .decide({ yes: (b) => b.then(text).as("x"), no: (b) => b.then(text).as("x") })
    .thenFn((data) => is<Same<typeof data.x, string>>());
  begin
    .then((data) => ExecutionResult.outcome(data.n > 1))
    .decide({
      true: (b) => b,
      // @ts-expect-error no such outcome
      maybe: (b) => b.then(text),
    });
  // A constant tells nothing about what else there might be.
  begin.then(() => ExecutionResult.outcome(true)).decide({ true: (b) => b, false: (b) => b.then(text) });
  begin
    .then(() => ({ an: "object" }))
    .decide({
      // @ts-expect-error an object has no text to decide by
      a: (b) => b.then(text),
    });
  begin.then(text).decide({ anything: (b) => b.then(text), default: (b) => b });
}

export function loops(): void {
  begin
    .whileDo(
      (data) => data.n > 1,
      (b) => b.then(text).as("x"),
    )
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  begin
    .doWhile(
      (b) => b.then(count).as("x"),
      (data) => data.x > 1,
    )
    .thenFn((data) => is<Same<typeof data.x, number>>());
  begin
    .forEach(
      (data) => data.items,
      (b) =>
        b
          .then((data, ctx) => {
            is<Same<typeof ctx.item, string>>();
            is<Same<typeof ctx.data, Data>>();
            return ctx.item.length;
          })
          .as("length")
          .then(count, (data, at) => {
            is<Same<typeof data.length, number>>();
            is<Same<typeof at.item, string>>();
            is<Same<typeof at.items, readonly string[]>>();
            return data;
          })
          .output((data, out, at) => ({ total: out + at.index + data.length, n: data.n + out })),
      { as: "lengths" },
    )
    .thenFn((data) => {
      is<Same<typeof data.lengths, number[]>>();
      is<Same<typeof data.total, number | undefined>>();
      is<Same<typeof data.n, number>>();
      // @ts-expect-error keys by `.as` are the item's own
      void data.length;
    });
  begin
    .forEach(
      (data) => data.items,
      (b) =>
        b.forEach(
          () => [1, 2],
          (c) => c.then((_, ctx) => ctx.item.toFixed()),
          { as: "inner" },
        ),
      { as: "outer" },
    )
    .thenFn((data) => is<Same<typeof data.outer, string[][]>>());
  begin
    .forEach(
      (data) => data.items,
      (b) =>
        b.ifDo(
          () => true,
          (c) => c.then(text),
          (c) => c.then(count),
        ),
      { as: "each" },
    )
    .thenFn((data) => is<Same<typeof data.each, (string | number)[]>>());
  begin
    .forEach(
      (data) => data.items,
      (b) => b.then(text).onError("ignore"),
      { as: "each" },
    )
    .thenFn((data) => is<Same<typeof data.each, (string | undefined)[]>>());
}

export function goingOnWithoutOutput(): void {
  begin
    .then(text)
    .as("x")
    .onError("ignore")
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  begin
    .then(text)
    .onError("ignore")
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  begin
    .then(text)
    .as("x")
    .onError("compensate")
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  begin
    .then(text)
    .as("x")
    .onError(retry({ then: "ignore" }))
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  begin
    .then(text)
    .as("x")
    .onError(retry({ then: "suspend" }))
    .thenFn((data) => is<Same<typeof data.x, string>>());
  begin
    .then(text)
    .as("x")
    .onError(retry())
    .thenFn((data) => is<Same<typeof data.x, string>>());
  begin
    .then(text)
    .as("x")
    .onError("suspend")
    .thenFn((data) => is<Same<typeof data.x, string>>());
  begin
    .then(text)
    .as("x")
    .cancelWhen((data) => data.n > 1, { proceed: true })
    .thenFn((data) => is<Same<typeof data.x, string | undefined>>());
  // A key that was there before keeps its value.
  begin
    .then(count)
    .as("n")
    .onError("ignore")
    .thenFn((data) => is<Same<typeof data.n, number>>());
  begin
    .then(count)
    .output((data, out) => ({ more: out }))
    .onError("ignore")
    .thenFn((data) => is<Same<typeof data.more, number | undefined>>());
  begin
    .then(count)
    .onError("ignore")
    .output((data, out) => ({ more: out + 1 }))
    .thenFn((data) => is<Same<typeof data.more, number | undefined>>());
}

export function endingEarly(): void {
  const cancelled = begin
    .then(text)
    .as("a")
    .then(text)
    .as("b")
    .cancelWhen(() => true)
    .then(text)
    .as("c")
    .build("x", 1);
  is<Same<EndOf<typeof cancelled>["a"], string>>();
  is<Same<EndOf<typeof cancelled>["b"], string | undefined>>();
  is<Same<EndOf<typeof cancelled>["c"], string | undefined>>();
  // Inside a branch, the branch ends, and the join goes on.
  begin
    .parallel((p) =>
      p
        .branch((b) =>
          b
            .then(text)
            .as("a")
            .delay("1h")
            .cancelWhen(() => true)
            .then(text)
            .as("b"),
        )
        .branch((b) => b.then(text).as("c")),
    )
    .thenFn((data) => {
      is<Same<typeof data.a, string>>();
      is<Same<typeof data.b, string | undefined>>();
      is<Same<typeof data.c, string>>();
    });
  const ended = begin
    .then(text)
    .as("a")
    .ifDo(
      () => true,
      (b) => b.then(count).as("why").endWorkflow(),
    )
    .then(text)
    .as("b")
    .build("x", 1);
  is<Same<EndOf<typeof ended>["a"], string>>();
  is<Same<EndOf<typeof ended>["b"], string | undefined>>();
  is<Same<EndOf<typeof ended>["why"], number | undefined>>();
  const failed = begin
    .ifDo(
      () => true,
      (b) => b.fail("no"),
    )
    .then(text)
    .as("b")
    .fail("also no")
    .build("x", 1);
  is<Same<EndOf<typeof failed>["b"], string>>();
  const last = begin.then(text).as("a").endWorkflow().build("x", 1);
  is<Same<EndOf<typeof last>["a"], string>>();
}

export function sagas(): void {
  begin
    .saga((b) => b.then(text).as("flight").then(count).as("hotel"))
    .as("trip")
    .thenFn((data) => {
      is<Same<typeof data.flight, string>>();
      is<Same<typeof data.trip.ok, true>>();
    });
  begin
    .saga((b) => b.then(text).as("flight"))
    .as("trip")
    .onError("ignore")
    .thenFn((data) => {
      is<Same<typeof data.flight, string | undefined>>();
      if (!data.trip.ok) is<Same<typeof data.trip.error, Error>>();
    });
  begin
    .saga((b) => b.then(text).as("flight"))
    .onError(retry({ then: "ignore" }))
    .as("trip")
    .thenFn((data) => is<Same<typeof data.trip.ok, boolean>>());
  begin
    .saga((b) => b.then(text).as("flight"))
    .compensateWith((data) => is<Same<typeof data.flight, string | undefined>>());
}

export function hooks(): void {
  begin
    .then(text)
    .as("x")
    .onFailure((b) =>
      b
        .then((data) => {
          // @ts-expect-error the step failed, so it set nothing
          void data.x;
          return 1;
        })
        .as("reason"),
    )
    .ensure((b) =>
      b
        .then((data) => is<Same<typeof data.x, string | undefined>>())
        .then(count)
        .as("cleaned"),
    )
    .onError("ignore")
    .thenFn((data) => {
      is<Same<typeof data.reason, number | undefined>>();
      is<Same<typeof data.cleaned, number | undefined>>();
    });
  begin
    .then(count)
    .as("x")
    .compensateWith((data, ctx) => {
      is<Same<typeof data.x, number | undefined>>();
      if (ctx.undoing.error === undefined) is<Same<typeof ctx.undoing.output, number>>();
      else is<Same<typeof ctx.undoing.error, Error>>();
    })
    .compensateWith(
      (input: { x: number }) => input.x,
      (data) => ({ x: data.x ?? 0 }),
    )
    .compensateWithSequence((b) =>
      b.then((data, ctx) => {
        is<Same<typeof data.x, number | undefined>>();
        is<Same<typeof ctx.undoing.output, number | undefined>>();
      }),
    );
}

export function waits(): void {
  const approved = event<{ by: string }>("approved");
  const rejected = event<{ why: string }>("rejected");
  begin
    .waitFor(approved, "k")
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, { by: string }>>());
  begin
    .waitFor(approved, "k", { timeout: "1d" })
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, { by: string }>>());
  begin
    .waitFor(approved, "k", { timeout: "1d", onTimeout: (b) => b.then(text).as("late") })
    .as("x")
    .thenFn((data) => {
      is<Same<typeof data.x, { by: string } | undefined>>();
      is<Same<typeof data.late, string | undefined>>();
    });
  begin
    .waitFor(approved, "k", { timeout: (data) => data.n, onTimeout: (b) => b.fail("late") })
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, { by: string }>>());
  begin
    .waitFor<{ some: string }>("by name", (data) => data.status)
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, { some: string }>>());
  begin
    .waitFor("by name", "", { asOf: "now", timeout: "1h", onTimeout: (b) => b })
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, any>>());
  begin
    .waitForAny({ approved, rejected: { event: rejected, key: (data) => data.status } }, "k")
    .as("x")
    .thenFn((data) => {
      if (data.x.which === "approved") is<Same<typeof data.x.payload, { by: string }>>();
      else is<Same<typeof data.x.payload, { why: string }>>();
    });
  begin
    .waitForAny({ approved, rejected }, (data) => data.status, { timeout: "1d", onTimeout: (b) => b.then(text) })
    .as("x")
    .thenFn((data) => is<Same<NonNullable<typeof data.x>["which"], "approved" | "rejected">>());
  begin
    .waitForAll({ approved, rejected }, "k")
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, { approved: { by: string }; rejected: { why: string } }>>());
  begin
    .waitFor(approved, "k", { remind: { every: "1d", do: (b) => b.then(count).as("reminders") } })
    .thenFn((data) => is<Same<typeof data.reminders, number | undefined>>());
}
