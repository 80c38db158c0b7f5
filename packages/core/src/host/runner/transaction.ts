import type { WorkflowDefinition } from "../../definition/definition.ts";
import { decide } from "../../engine/decide.ts";
import type { Decision } from "../../engine/decision.ts";
import type { Input } from "../../engine/inputs.ts";
import { FatalError, StoreError, type AbortReason } from "../../errors.ts";
import type { CommitResult, TurnCommit } from "../../providers/persistence-provider.ts";
import type { Run } from "../../providers/records.ts";
import type { Attempt } from "../../engine/work.ts";
import { isThenable } from "../../thenable.ts";
import { backOffMs } from "../core/back-off.ts";
import { returnedInput, threwInput, timedOutInput, unstorableInput } from "./attempt-result.ts";
import { BodyContext } from "./body-context.ts";
import { Body, nextCameLate, throughMiddleware, type BodyOwner } from "./body.ts";
import { liveChildren, prepareChildrenNow, Refusals, type Parent, type PreparedChildren } from "./children.ts";
import type { RunnerContext } from "./runner-context.ts";
import type { TransactionResult } from "./transaction-lane.ts";

/** A decided turn, as the workflow keeps it. */
interface FlightLike {
  readonly turn: TurnCommit;
}

export interface TransactionParts<Flight extends FlightLike> {
  readonly parent: Parent;
  readonly definition: WorkflowDefinition;
  readonly attempt: Attempt;
  /** Whether the workflow is still in hand. */
  readonly isWanted: () => boolean;
  readonly flightOf: (inputs: readonly Input[], decision: Decision, children: PreparedChildren) => Flight;
  readonly ended: (outcome: TransactionOutcome<Flight>) => void;
}

export type TransactionOutcome<Flight> =
  /** The store has answered for this turn. */
  | { readonly kind: "settled"; readonly flight: Flight; readonly result: CommitResult }
  /** Nothing was stored, and this is to be decided instead. */
  | { readonly kind: "failed"; readonly input: Input }
  /** The turn may have been stored, or may still be. */
  | { readonly kind: "unknown"; readonly flight: Flight }
  /** The journal goes on otherwise. */
  | { readonly kind: "lost" };

/** Thrown out of the transaction, so that all is undone: the step fails with this input. */
class FailsWith extends Error {
  readonly input: Input;
  constructor(input: Input) {
    super("the step has failed");
    this.input = input;
  }
}

/** Thrown out of the transaction, so that all is undone: it is done again as soon as the host can rely on its lease. */
class LeaseInDoubt extends Error {}

/**
 * An attempt of a transactional step: its body, the decision on its result and the turn, all inside the store's transaction.
 * The store may execute it several times; what was done before is undone each time.
 *
 * Middleware is around the transaction: `next` gives what the body gave once that is committed, and then the result stands,
 * whatever the middleware makes of it. Where the body failed nothing was committed, and what the middleware returns or throws is
 * the attempt's result as everywhere.
 */
export class Transaction<Flight extends FlightLike> implements BodyOwner {
  readonly #context: RunnerContext;
  readonly #parts: TransactionParts<Flight>;
  #runs: ReadonlyMap<string, Run> = new Map();
  #body: Body | undefined;
  /** What middleware sees in place of the body: the attempt, whichever transaction it runs in. */
  #outer: Body | undefined;
  #flight: Flight | undefined;
  #rejectTimedOut: ((error: unknown) => void) | undefined;
  /** The promise that the body gave, until it has settled. */
  #promised: object | undefined;
  #tries = 0;
  /** What the body gave, for the middleware. */
  #output: unknown;
  #ended: (outcome: TransactionOutcome<Flight>) => void = () => undefined;

  constructor(context: RunnerContext, parts: TransactionParts<Flight>) {
    this.#context = context;
    this.#parts = parts;
  }

  begin(): void {
    const { middleware } = this.#context.core.options;
    if (middleware.length === 0) return this.#begin(this.#parts.ended);
    const { core, bodies } = this.#context;
    this.#outer = new Body(core, this, bodies, this.#parts.attempt);
    const context = new BodyContext(this.#outer);
    let failed: Input | undefined;
    let told = false;
    const tell = (outcome: TransactionOutcome<Flight>): void => {
      if (told) return;
      told = true;
      this.#parts.ended(outcome);
    };
    const transaction = (): Promise<unknown> =>
      new Promise((resolve, reject) => {
        if (told) return reject(nextCameLate());
        this.#begin((outcome) => {
          if (outcome.kind === "failed" && outcome.input.kind === "attempt-threw") {
            failed = outcome.input;
            return reject(outcome.input.thrown);
          }
          tell(outcome);
          resolve(this.#output);
        });
      });
    const attempt = this.#parts.attempt;
    const through = (async (): Promise<unknown> => throughMiddleware(middleware, context, transaction))();
    const ended = through.then(
      (value) => tell({ kind: "failed", input: returnedInput(attempt, value, core.options.limits) }),
      (error: unknown) => {
        if (told)
          core.log.warn("a middleware threw after a transactional step had been committed; the step stands", {
            stepId: attempt.node.id,
            error,
          });
        tell({
          kind: "failed",
          input: failed?.kind === "attempt-threw" && failed.thrown === error ? failed : threwInput(attempt, error),
        });
      },
    );
    void core.runtime.clock.track(ended, "body");
  }

  #begin(ended: (outcome: TransactionOutcome<Flight>) => void): void {
    this.#ended = ended;
    const { parent } = this.#parts;
    const hasChildren = [...parent.state.pointers.values()].some(({ child }) => child !== null);
    if (!hasChildren) return this.#submit();
    // Inside the transaction nothing can be read: which children there are is found out before.
    liveChildren(this.#context, parent).then(
      (runs) => {
        this.#runs = runs;
        this.#submit();
      },
      (error: unknown) => ended({ kind: "failed", input: threwInput(this.#parts.attempt, error) }),
    );
  }

  get run(): Run {
    return this.#parts.parent.run;
  }

  abort(reason: AbortReason): void {
    this.#body?.abort(reason);
    this.#outer?.abort(reason);
  }

  bodyEnded(): void {
    // Only bodies that are begun by `begin` tell of their end.
  }

  bodyTimedOut(): void {
    this.#rejectTimedOut?.(new FailsWith(timedOutInput(this.#parts.attempt)));
  }

  #submit(): void {
    const { parent } = this.#parts;
    this.#flight = undefined;
    this.#context.transactions.submit(
      { run: parent.run, seq: parent.state.seq + 1, execute: (tx) => this.#execute(tx) },
      (result) => this.#settle(result),
    );
  }

  #execute(tx: unknown): TurnCommit | Promise<TurnCommit> {
    this.#body?.endTransaction();
    this.#flight = undefined;
    this.#promised = undefined;
    this.#checkWanted();
    const { parent } = this.#parts;
    const { core, bodies } = this.#context;
    const { attempt } = this.#parts;
    const { telemetry } = core;
    const told = telemetry?.active === true ? telemetry.attempt(attempt, parent.state.identity.trace) : undefined;
    const body = new Body(core, this, bodies, attempt, told);
    this.#body = body;
    const result = body.runInTransaction(tx);
    if (!isThenable(result)) return this.#decide(result);
    this.#context.transactions.sawAsynchronous();
    const promised = {};
    this.#promised = promised;
    const timedOut = new Promise<never>((_, reject) => (this.#rejectTimedOut = reject));
    const decided = this.#decideLater(Promise.race([result, timedOut]), promised);
    // A store with a synchronous driver refuses the promise and never looks at it again.
    decided.catch(() => {});
    return decided;
  }

  async #decideLater(ending: Promise<unknown>, promised: object): Promise<TurnCommit> {
    try {
      const value = await ending;
      this.#checkWanted();
      // Refused, and executed again meanwhile: what comes of it is of no consequence.
      if (this.#promised !== promised) throw new FatalError("the transaction was executed again");
      return this.#decide(value);
    } finally {
      if (this.#promised === promised) this.#promised = undefined;
    }
  }

  /** All is undone where nobody wants it any more, and where others may have taken over. */
  #checkWanted(): void {
    if (this.#parts.isWanted()) {
      if (this.#context.transactions.mayCommit()) return;
      throw new LeaseInDoubt("the host cannot rely on its lease");
    }
    throw new StoreError("WORKFLOW_DROPPED", "the workflow is not in this host's hands any more", {
      outcome: "not-applied",
      transient: false,
    });
  }

  #decide(value: unknown): TurnCommit {
    this.#output = value;
    const { attempt, definition, parent, flightOf } = this.#parts;
    const { core } = this.#context;
    const input = returnedInput(attempt, value, core.options.limits);
    // What cannot be stored must not leave its writes behind either.
    if (input.kind === "attempt-threw") throw new FailsWith(input);
    const at = core.engineNow();
    const refused = new Refusals(parent);
    for (;;) {
      const inputs = [input, ...refused.inputs];
      const decision = decide(definition, parent.state, inputs, this.#context.decideAt(at));
      const children = prepareChildrenNow(this.#context, parent, refused.without(decision.effects), this.#runs);
      if (children.refusals.length > 0) {
        refused.add(children.refusals);
        continue;
      }
      this.#flight = flightOf(inputs, decision, children);
      return this.#flight.turn;
    }
  }

  #settle(result: TransactionResult): void {
    this.#body?.endTransaction();
    const { attempt } = this.#parts;
    const ended = this.#ended;
    const flight = this.#flight;
    switch (result.outcome) {
      case "applied":
      case "conflict":
      case "hole":
        // A conflict may be seen before the body has run: then nothing is ours.
        return ended(flight === undefined ? { kind: "lost" } : { kind: "settled", flight, result });
      case "failed":
        return ended({ kind: "failed", input: unstorableInput(attempt, result.error) });
      case "body-failed":
        return this.#bodyFailed(result.error);
      case "not-applied":
        return this.#tryAgain(result.error);
      case "unknown":
        return flight === undefined ? this.#tryAgain(result.error) : ended({ kind: "unknown", flight });
    }
  }

  #bodyFailed(error: unknown): void {
    const { attempt } = this.#parts;
    const ended = this.#ended;
    if (error instanceof FailsWith) return ended({ kind: "failed", input: error.input });
    // What a body throws that was told to end for that reason is no failure of the step.
    if (error instanceof LeaseInDoubt || this.#body?.abortReason === "lease-lost") return this.#later();
    // A body that obeys its signal throws before the time-out is heard of.
    if (this.#body?.abortReason === "timeout") return ended({ kind: "failed", input: timedOutInput(attempt) });
    // What the store has against the body itself, such as that it gave a promise, does not pass by another attempt.
    const refused = error instanceof StoreError && error.code === "TRANSACTIONAL_STEP" ? error.message : undefined;
    if (refused !== undefined || this.#promised !== undefined) {
      const why = refused ?? "it gave a promise, and with this store the body must be synchronous";
      const fatal = new FatalError(`the transactional step \`${attempt.node.id}\` cannot be run: ${why}`, {
        cause: error,
      });
      return ended({ kind: "failed", input: threwInput(attempt, fatal) });
    }
    ended({ kind: "failed", input: threwInput(attempt, error) });
  }

  /** Nothing was stored: the body runs again in a new transaction, after a pause, for as long as the store may come back. */
  #tryAgain(error: unknown): void {
    const { attempt } = this.#parts;
    const ended = this.#ended;
    if (error instanceof StoreError && !error.transient && error.outcome === "not-applied")
      return ended({ kind: "failed", input: threwInput(attempt, error) });
    this.#later();
  }

  #later(): void {
    const { isWanted } = this.#parts;
    const { clock, random } = this.#context.core.runtime;
    this.#tries += 1;
    clock.setTimer(backOffMs(this.#tries, random), () => {
      if (isWanted()) this.#submit();
    });
  }
}
