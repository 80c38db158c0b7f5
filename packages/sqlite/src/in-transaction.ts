import { InvalidOptionError, type StepContext, transactionalStep, type TransactionalStep } from "@wfe/core/providers";
import type { Connection } from "./session.ts";

/**
 * A step whose own writes and whose result commit together, exactly once, in the database of the workflows.
 *
 * `ctx.tx` is WFE's connection in its open transaction: use it for every write, and leave COMMIT, ROLLBACK and `close()` out. The body is
 * synchronous, since the driver is; what it throws undoes all that it wrote. It runs while other workflows' turns wait to be
 * committed, so it should be quick.
 *
 * ```ts
 * .then(inTransaction((input: { id: string }, { tx }) => {
 *   tx.prepare("UPDATE stock SET held = held + 1 WHERE id = ?").run(input.id);
 *   return { held: true };
 * }))
 * ```
 */
export function inTransaction<Input, Output>(
  body: (input: Input, ctx: StepContext & { readonly tx: Connection }) => SynchronousOutput<Output>,
): TransactionalStep<Input, Output> {
  if (typeof body !== "function") throw new InvalidOptionError("inTransaction() takes the body of a step, a function");
  const step = (input: Input, ctx: StepContext): Output => {
    if (!("tx" in ctx)) {
      throw new InvalidOptionError(
        "this step has no transaction to run in: use a host whose store is sqlite(), and do not call the step yourself",
      );
    }
    return body(input, ctx as StepContext & { readonly tx: Connection });
  };
  return Object.assign(step, { [transactionalStep]: true as const });
}

/** A promise is no output of a synchronous body. */
type SynchronousOutput<Output> = Output extends PromiseLike<unknown> ? never : Output;
