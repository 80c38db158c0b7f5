import { ExecutionResult } from "../../definition/execution-result.ts";
import type { StepContext } from "../../definition/step-context.ts";
import { FatalError } from "../../errors.ts";
import type { ApplicationTransaction } from "./application-table.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { Script } from "./sketch.ts";
import type { StoreAudit } from "./store-audit.ts";
import type { Verdict } from "./verdict.ts";

export interface BodiesOptions {
  readonly scheduler: Scheduler;
  readonly audit: StoreAudit;
  readonly verdict: Verdict;
  readonly tell: (line: () => string) => void;
}

/** Runs the bodies of steps as their scripts say, and looks at each one that begins. */
export class Bodies {
  begun = 0;
  readonly #options: BodiesOptions;
  /** By execution: its key, and its input as text. */
  readonly #executions: Map<string, string> = new Map();

  constructor(options: BodiesOptions) {
    this.#options = options;
  }

  run(script: Script, ctx: StepContext): unknown {
    const { scheduler, tell } = this.#options;
    // Whose code runs is known: a body begins in a task of its process.
    const process = scheduler.current as SimulatedProcess;
    this.begun += 1;
    tell(
      () =>
        `${process.name}: ${ctx.workflow.id} begins ${ctx.step.id} (${ctx.step.executionId}, attempt ${ctx.step.attempt})`,
    );
    this.#check(process, ctx);
    // At once, so that what fails afterwards has something to undo.
    (ctx as { readonly tx?: ApplicationTransaction }).tx?.write(ctx.step.executionId);
    if (script.hangs && ctx.step.attempt === 1) return new Promise(() => {});
    if (script.ms === 0) return outcome(script, ctx);
    return new Promise((resolve, reject) => {
      scheduler.at(script.ms, process, () => {
        try {
          resolve(outcome(script, ctx));
        } catch (error) {
          reject(error);
        }
      });
      if (!script.deaf) ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason));
    });
  }

  #check(process: SimulatedProcess, ctx: StepContext): void {
    const { audit, verdict, scheduler } = this.#options;
    const { id } = ctx.workflow;
    const { executionId } = ctx.step;
    const dot = executionId.lastIndexOf(".");
    const pointer = Number(executionId.slice(dot + 1));
    const journal = audit.journalOf(executionId.slice(0, dot));
    if (journal?.pointers.get(pointer) !== ctx.step.id)
      verdict.fail(
        "a result is stored before its successor begins",
        `${process.name} begins \`${ctx.step.id}\` of ${id} (execution ${pointer}), which the journal does not know of`,
      );
    const known = this.#executions.get(executionId);
    if (known === undefined) this.#executions.set(executionId, ctx.idempotencyKey);
    else if (known !== ctx.idempotencyKey)
      verdict.fail(
        "an execution has one key and one input",
        `execution ${executionId} of \`${ctx.step.id}\` has the key ${ctx.idempotencyKey}, and had ${known}`,
      );
    const { lease } = process;
    if (lease === undefined || process.frozenAt > lease.askedAt) return;
    const age = scheduler.now - lease.askedAt;
    if (age > lease.ttlMs)
      verdict.fail(
        "a host without a lease stands still",
        `${process.name} begins \`${ctx.step.id}\` of ${id} ${age} ms after it renewed its lease of ${lease.ttlMs} ms last`,
      );
  }
}

/** Depends on what it is given, and on nothing else: so the same execution does the same wherever it runs. */
function outcome(script: Script, ctx: StepContext): unknown {
  const { id, attempt, executionId } = ctx.step;
  if (script.pauses !== undefined && ctx.persisted === undefined) return pause(script.pauses, ctx);
  if (attempt <= script.throws)
    throw script.fatal ? new FatalError(`${id} fails for good`) : new Error(`${id} fails (attempt ${attempt})`);
  if (script.gives === "unstorable") return () => "no value";
  if (script.gives === "outcome") return ExecutionResult.outcome(Number(ctx.data.count ?? 0) % 3);
  return `${id}/${executionId.slice(executionId.lastIndexOf(".") + 1)}`;
}

function pause(how: NonNullable<Script["pauses"]>, ctx: StepContext): unknown {
  switch (how) {
    case "persist":
      return ExecutionResult.persist(1);
    case "sleep":
      return ExecutionResult.sleep(150, 1);
    case "wait-for-event":
      return ExecutionResult.waitForEvent("go", String(ctx.data.key), 1);
  }
}
