import type { StepContext } from "./step-context.ts";

/** Marks a step whose own writes and whose result commit together. Registered, so that two copies of this package agree. */
export const transactionalStep: unique symbol = Symbol.for("wfe.transactional-step");

/**
 * What a provider's `inTransaction(fn)` makes. For the builder it is a step like any other; `ctx.tx` is between the provider
 * and the function that it was given.
 */
export interface TransactionalStep<Input, Output> {
  (input: Input, ctx: StepContext): Output;
  readonly [transactionalStep]: true;
}
