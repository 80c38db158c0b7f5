import { InvalidOptionError, type StepContext, transactionalStep, type TransactionalStep } from "@wfe/core/providers";
import type { Transaction } from "kysely";
import type { ClientBase } from "pg";

/**
 * A step whose own writes and whose result commit together, exactly once, in the database of the workflows.
 *
 * `ctx.tx` is a client of pg in an open transaction (of a host whose store is a Kysely instance: a Kysely on that connection):
 * use it for every write, and leave COMMIT and ROLLBACK out. What the body throws undoes all that it wrote. It holds a
 * connection for as long as it takes.
 *
 * ```ts
 * .then(inTransaction(async (input: { id: string }, { tx }) => {
 *   await tx.query("UPDATE stock SET held = held + 1 WHERE id = $1", [input.id]);
 *   return { held: true };
 * }))
 * ```
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the body says which client it takes
export function inTransaction<Input, Output, Tx extends ClientBase | Transaction<any> = ClientBase>(
  body: (input: Input, ctx: StepContext & { readonly tx: Tx }) => Output | Promise<Output>,
): TransactionalStep<Input, Promise<Output>> {
  if (typeof body !== "function") throw new InvalidOptionError("inTransaction() takes the body of a step, a function");
  const step = async (input: Input, ctx: StepContext): Promise<Output> => {
    if (!("tx" in ctx)) {
      throw new InvalidOptionError(
        "this step has no transaction to run in: use a host whose store is postgres(), and do not call the step yourself",
      );
    }
    return body(input, ctx as StepContext & { readonly tx: Tx });
  };
  return Object.assign(step, { [transactionalStep]: true as const });
}
