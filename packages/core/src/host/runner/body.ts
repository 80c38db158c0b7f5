import { handOut } from "../../codec/index.ts";
import type { StepContext } from "../../definition/step-context.ts";
import type { StepFunction } from "../../definition/nodes.ts";
import type { Attempt } from "../../engine/work.ts";
import { InvalidOptionError, type AbortReason } from "../../errors.ts";
import type { Run } from "../../providers/records.ts";
import type { Timer } from "../../runtime/runtime.ts";
import type { HostCore, Middleware } from "../core/host-core.ts";
import type { AttemptTelemetry } from "../../telemetry/telemetry.ts";
import { isThenable } from "../../thenable.ts";
import { abortedError, BodyContext, type ContextOwner } from "./body-context.ts";
import type { BodyTally } from "./body-tally.ts";
import { stepInstance } from "./step-instance.ts";

/** Who runs a body, and hears of its end. May be called in the middle of `begin`, when the body is synchronous. */
export interface BodyOwner {
  readonly run: Run;
  bodyEnded(body: Body, mode: "running" | "late" | "straggler", returned: boolean, value: unknown): void;
  bodyTimedOut(body: Body): void;
}

/**
 * One attempt of a step's body.
 *
 * `running`: its result is wanted. `late`: its time is up, which is not on record yet. `straggler`: its attempt is over, and an
 * undoing wants to know how it ends. `left`: nobody cares any more, it is only counted.
 */
export class Body implements ContextOwner {
  readonly attempt: Attempt;
  readonly core: HostCore;
  readonly #owner: BodyOwner;
  readonly #tally: BodyTally;
  #mode: "running" | "late" | "straggler" | "left" | "ended" = "running";
  #abortReason: AbortReason | undefined;
  #controller: AbortController | undefined;
  #timer: Timer | undefined;
  #tx: unknown;
  #told: AttemptTelemetry | undefined;

  constructor(core: HostCore, owner: BodyOwner, tally: BodyTally, attempt: Attempt, told?: AttemptTelemetry) {
    this.#told = told;
    this.core = core;
    this.#owner = owner;
    this.#tally = tally;
    this.attempt = attempt;
  }

  get pointer(): number {
    return this.attempt.pointer;
  }

  get mode(): "running" | "late" | "straggler" | "left" | "ended" {
    return this.#mode;
  }

  get run(): Run {
    return this.#owner.run;
  }

  get live(): boolean {
    return this.#mode === "running";
  }

  get tx(): unknown {
    return this.#tx;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(abortedError(this.attempt, this.#abortReason));
    }
    return this.#controller.signal;
  }

  /** The last reason it was aborted for; undefined: it was not. */
  get abortReason(): AbortReason | undefined {
    return this.#abortReason;
  }

  /** Runs the body and tells the owner when it has ended: at once where it is synchronous. */
  begin(): void {
    this.#tally.began();
    this.#startTimer();
    let result: unknown;
    try {
      result = this.#told === undefined ? this.#call() : this.#told.run(() => this.#call());
      if (isThenable(result)) {
        const ended = Promise.resolve(result).then(
          (value) => this.#end(true, value),
          (error: unknown) => this.#end(false, error),
        );
        void this.core.runtime.clock.track(ended, "body");
        return;
      }
    } catch (error) {
      this.#end(false, error);
      return;
    }
    this.#end(true, result);
  }

  /**
   * Runs the body with a transaction's client and gives what it gives: a promise where it is asynchronous. Middleware is around the
   * transaction, not inside it. Who calls says by `endTransaction` when all is over.
   */
  runInTransaction(tx: unknown): unknown {
    this.#tally.began();
    this.#tx = tx;
    this.#startTimer();
    const context = new BodyContext(this);
    return this.#told === undefined ? this.#step(context) : this.#told.run(() => this.#step(context));
  }

  endTransaction(): void {
    this.#tx = undefined;
    this.#stopTimer();
    if (this.#mode !== "ended") {
      this.#tally.ended(this.#mode === "left");
      this.#tell(this.#mode === "running" ? "returned" : "abandoned");
    }
    this.#mode = "ended";
  }

  /** Tells the body to end. It may take no notice. */
  abort(reason: AbortReason): void {
    if (this.#mode === "ended") return;
    this.#abortReason ??= reason;
    this.#controller?.abort(abortedError(this.attempt, reason));
  }

  /** Its attempt is over, but an undoing waits for its end. */
  becomeStraggler(): void {
    if (this.#mode !== "running" && this.#mode !== "late") return;
    this.#stopTimer();
    this.#mode = "straggler";
  }

  /** Whatever it still does is of no consequence. */
  leave(): void {
    if (this.#mode === "left" || this.#mode === "ended") return;
    this.#stopTimer();
    this.#mode = "left";
    this.#tally.left();
    this.#tell(this.#abortReason === "timeout" ? "timed-out" : "abandoned");
  }

  /** How the attempt ended, once. */
  #tell(...how: Parameters<AttemptTelemetry["ended"]>): void {
    this.#told?.ended(...how);
    this.#told = undefined;
  }

  #end(returned: boolean, value: unknown): void {
    this.#stopTimer();
    const mode = this.#mode;
    this.#mode = "ended";
    this.#tally.ended(mode === "left");
    if (mode === "left" || mode === "ended") return;
    this.#tell(returned ? "returned" : "threw", value);
    this.#owner.bodyEnded(this, mode, returned, value);
  }

  #call(): unknown {
    const context = new BodyContext(this);
    const { middleware } = this.core.options;
    return middleware.length === 0
      ? this.#step(context)
      : throughMiddleware(middleware, context, () => {
          if (this.#mode !== "running") throw nextCameLate();
          return this.#step(context);
        });
  }

  #step(context: BodyContext): unknown {
    const { input, node } = this.attempt;
    const given = handOut(input);
    if (!node.isClass) return (node.body as StepFunction)(given, context);
    return stepInstance(this.core.options.createStep, node).run(given, context);
  }

  #startTimer(): void {
    const { timeoutMs } = this.attempt;
    if (timeoutMs === undefined) return;
    this.#timer = this.core.runtime.clock.setTimer(timeoutMs, () => {
      this.#timer = undefined;
      if (this.#mode !== "running") return;
      this.abort("timeout");
      this.#mode = "late";
      this.#tell("timed-out");
      this.#owner.bodyTimedOut(this);
    });
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

/** Calls the outermost middleware, whose `next` calls the one inside it, and so on to the step. */
export function throughMiddleware(
  middleware: readonly Middleware[],
  context: StepContext,
  step: () => unknown,
  index = 0,
): unknown {
  const layer = middleware[index];
  if (layer === undefined) return step();
  let called = false;
  return layer(context, () => {
    if (called) {
      throw new InvalidOptionError(
        "a middleware called `next` twice: an attempt runs its step once; use `onError(retry(...))` to run it again",
      );
    }
    called = true;
    const given = settled(() => throughMiddleware(middleware, context, step, index + 1));
    // A middleware that does not wait for it has a result of its own: that nobody hears of an error is not to end the process.
    given.catch(() => undefined);
    return given;
  });
}

/** What a `next` gives that is called when the attempt is over: its result is known, or nobody wants one any more. */
export function nextCameLate(): InvalidOptionError {
  return new InvalidOptionError(
    "a middleware called `next` when the attempt was over: call it before the middleware returns, and wait for what it gives",
  );
}

async function settled(call: () => unknown): Promise<unknown> {
  return await call();
}
