// Compiled, never run: steps, their inputs, and what they give.
import {
  ExecutionResult,
  transactionalStep,
  workflow,
  type StepBody,
  type StepContext,
  type StepLike,
  type TransactionalStep,
} from "@wfe/core";
import { is, type Same } from "./assertions.ts";

interface Data {
  n: number;
  text: string;
}
declare const begin: ReturnType<typeof workflow<Data>>;

export function inputs(): void {
  begin.then((data, ctx) => {
    is<Same<typeof data, Data>>();
    is<Same<typeof ctx, StepContext<Data, undefined, undefined>>>();
  });
  begin.then((input: { n: number }) => input.n);
  begin.then(() => 1);
  begin.then(
    (input: { amount: number }) => input.amount,
    (data) => ({ amount: data.n }),
  );
  begin.then(
    (input: "a" | "b") => input,
    () => "a",
  );
  begin.then(
    (input: { kind: "a" | "b"; pair: [number, "x"] }) => input.kind,
    (data) => ({ kind: "a", pair: [data.n, "x"] }),
  );
  begin.then(
    (input: unknown) => typeof input,
    (data) => ({ n: data.n }),
  );
  begin.then(
    async (input: number, ctx) => ctx.data.n + input,
    (data, at) => data.n + at.now,
  );
}

class Fits implements StepBody<Data, number> {
  run(data: Data): number {
    return data.n;
  }
}
class WithServices {
  readonly #database: { find(n: number): string };
  constructor(database: { find(n: number): string }) {
    this.#database = database;
  }
  async run(data: { n: number }, ctx: StepContext): Promise<string> {
    return this.#database.find(data.n) + ctx.idempotencyKey;
  }
}
class AsksForMore {
  run(data: Data & { more: string }): string {
    return data.more;
  }
}
export function classes(): void {
  begin
    .then(Fits)
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, number>>());
  begin
    .startWith(WithServices)
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, string>>());
  begin.then(AsksForMore, (data) => ({ ...data, more: "" }));
  begin
    .then(() => "")
    .as("more")
    .then(AsksForMore);
}

export function results(): void {
  begin
    .then(() => ExecutionResult.next({ a: 1 }))
    .as("x")
    .thenFn((data) => is<Same<typeof data.x.a, 1>>());
  begin
    .then((data, ctx) => {
      if (data.n > 3) return ExecutionResult.outcome("late" as const);
      if (data.n > 2) return ExecutionResult.persist({ at: 1 });
      if (data.n > 1) return ExecutionResult.sleep("1h");
      if (ctx.event === undefined) return ExecutionResult.waitForEvent("e", "k");
      return { plain: true };
    })
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, "late" | { plain: boolean }>>());
  begin
    .then(async () => {})
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, undefined>>());
  begin
    .then((): any => 1)
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, any>>());
  begin
    .then((): unknown => 1)
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, unknown>>());
}

export function existingKeys(): void {
  begin
    .then(() => 1)
    .as("n")
    .thenFn((data) => is<Same<typeof data.n, number>>());
  workflow<{ status: "open" | "done" }>()
    .then(() => 1)
    .output(() => ({ status: "done" }))
    .thenFn((data) => is<Same<typeof data.status, "open" | "done">>());
  begin
    .then(() => 1)
    .output((data, out) => ({ n: data.n + out, extra: "x" }))
    .thenFn((data) => is<Same<typeof data.extra, string>>());
  begin
    .then(() => 1)
    .as("k")
    .then(() => 2)
    .as("k");
  workflow<Record<string, unknown>>()
    .then(() => 1)
    .as("k")
    .thenFn((data) => is<Same<typeof data.k, number>>());
  workflow<any>()
    .then(() => 1)
    .as("k")
    .thenFn((data) => data.k.whatever);
  workflow()
    .then(() => 1)
    .as("k")
    .thenFn((data) => is<Same<typeof data, { k: number }>>());
}

export function storable(): void {
  begin.then(() => ({
    at: new Date(),
    all: new Map([["a", new Set([1n])]]),
    bytes: new Uint8Array(),
    error: new Error("e"),
    maybe: undefined,
  }));
  interface Tree {
    children: Tree[];
    parent?: Tree;
  }
  begin.then((): Tree => ({ children: [] })).as("tree");
}

/** What provider packages return: their own context is between them and the function. */
export function transactional(): void {
  function inTransaction<Input, Output>(
    run: (input: Input, ctx: StepContext & { tx: { sql: string } }) => Output,
  ): TransactionalStep<Input, Output> {
    const step = (input: Input, ctx: StepContext): Output => run(input, ctx as never);
    return Object.assign(step, { [transactionalStep]: true as const });
  }
  begin
    .then(inTransaction((data: { n: number }, ctx) => ({ rows: ctx.tx.sql.length + data.n })))
    .as("x")
    .thenFn((data) => is<Same<typeof data.x, { rows: number }>>());
  begin
    .then(
      inTransaction((input: { id: string }) => input.id),
      (data) => ({ id: data.text }),
    )
    .as("x");
  const steps: StepLike[] = [Fits, WithServices, () => 1, inTransaction(() => 1)];
  return void steps;
}
