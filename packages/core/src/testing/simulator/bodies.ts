import { encode } from "../../codec/index.ts";
import { ExecutionResult } from "../../definition/execution-result.ts";
import type { StepContext } from "../../definition/step-context.ts";
import type { Pointer } from "../../engine/state.ts";
import { FatalError } from "../../errors.ts";
import type { ApplicationTransaction } from "./application-table.ts";
import type { JournalAudit } from "./journal-audit.ts";
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

/** An execution, as its bodies have seen it. */
interface Execution {
  readonly key: string;
  /** Undefined where it is not mapped. */
  input: string | undefined;
  /** How often the data of its workflow had been corrected by then. */
  corrections: number;
}

/** A body that has begun. */
interface Begun {
  readonly process: SimulatedProcess;
  readonly lease: string | undefined;
  readonly faults: number;
  readonly signal: AbortSignal;
}

/** Runs the bodies of steps as their scripts say, and looks at each one that begins. */
export class Bodies {
  begun = 0;
  readonly #options: BodiesOptions;
  /** By run and execution: a start that lands again when its workflow was deleted is another run of the same executions. */
  readonly #executions: Map<string, Execution> = new Map();
  /** By key: the execution whose it is. */
  readonly #keys: Map<string, string> = new Map();
  /** By what the journal says of an execution: whatever a turn changes of it is another one. */
  readonly #begun: WeakMap<Pointer, Begun> = new WeakMap();

  constructor(options: BodiesOptions) {
    this.#options = options;
  }

  run(script: Script, input: unknown, ctx: StepContext): unknown {
    const { scheduler, tell } = this.#options;
    // Whose code runs is known: a body begins in a task of its process.
    const process = scheduler.current as SimulatedProcess;
    this.begun += 1;
    tell(
      () =>
        `${process.name}: ${ctx.workflow.id} begins ${ctx.step.id} (${ctx.step.executionId}, attempt ${ctx.step.attempt})`,
    );
    this.#check(process, input, ctx);
    // At once, so that what fails afterwards has something to undo.
    transactionOf(ctx)?.write(ctx.step.executionId);
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

  #check(process: SimulatedProcess, input: unknown, ctx: StepContext): void {
    const { audit, verdict, scheduler } = this.#options;
    const { id } = ctx.workflow;
    const { executionId } = ctx.step;
    const dot = executionId.lastIndexOf(".");
    const pointer = Number(executionId.slice(dot + 1));
    const journal = audit.journalOf(executionId.slice(0, dot));
    if (journal?.pointers.get(pointer) !== ctx.step.id)
      return verdict.fail(
        "a result is stored before its successor begins",
        `${process.name} begins \`${ctx.step.id}\` of ${id} (execution ${pointer}), which the journal does not know of`,
      );
    const stands = journal.state.pointers.get(pointer);
    // What is not mapped is the data, as it stands.
    this.#sameAsBefore(journal, stands?.hasInput === true ? encode(input) : undefined, ctx);
    this.#forAReason(process, journal, stands, ctx);
    const { lease } = process;
    if (lease === undefined || process.frozenAt > lease.askedAt) return;
    const age = scheduler.now - lease.askedAt;
    if (age > lease.ttlMs)
      verdict.fail(
        "a host without a lease stands still",
        `${process.name} begins \`${ctx.step.id}\` of ${id} ${age} ms after it renewed its lease of ${lease.ttlMs} ms last`,
      );
  }

  #sameAsBefore(
    { run, corrections }: JournalAudit,
    input: string | undefined,
    { step, idempotencyKey: key }: StepContext,
  ): void {
    const fail = (message: string): void =>
      this.#options.verdict.fail("an execution has one key and one input", message);
    const { executionId } = step;
    const place = `${run} ${executionId}`;
    const known = this.#executions.get(place);
    if (known === undefined) this.#executions.set(place, { key, input, corrections });
    else {
      if (known.key !== key)
        return fail(`execution ${executionId} of \`${step.id}\` has the key ${key}, and had ${known.key}`);
      const isComparable = input !== undefined && known.input !== undefined && known.corrections === corrections;
      if (isComparable && known.input !== input)
        return fail(`execution ${executionId} of \`${step.id}\` has the input ${input}, and had ${known.input}`);
      Object.assign(known, { input, corrections });
    }
    const owner = this.#keys.get(key) ?? executionId;
    this.#keys.set(key, executionId);
    if (owner !== executionId) fail(`executions ${owner} and ${executionId} have the same key ${key}`);
  }

  /**
   * A body begins for what the journal wants run, and once. Again only where its attempt has come to an end on record, or where it was
   * told to end, or where the store has failed its host meanwhile: what had ended and was not on record may be forgotten then.
   */
  #forAReason(
    process: SimulatedProcess,
    { run, label, isLate }: JournalAudit,
    pointer: Pointer | undefined,
    ctx: StepContext,
  ): void {
    const { step, signal } = ctx;
    const lease = process.lease?.id;
    // A host that has lost its workflows, or whose predecessor had, and has not noticed yet, goes by what it knows.
    if (lease === undefined || this.#options.audit.ownerOf(run) !== lease || isLate) return;
    const fail = (message: string): void =>
      this.#options.verdict.fail(
        "a body runs again only for a reason",
        `${process.name} begins \`${step.id}\` of ${label} (${step.executionId}, attempt ${step.attempt}), ${message}`,
      );
    if (pointer?.status !== "ready" || pointer.crashed || pointer.attempt !== step.attempt)
      return fail(
        pointer === undefined
          ? "which is over"
          : `and the journal has it ${pointer.crashed ? "crashed" : pointer.status}, at attempt ${pointer.attempt}`,
      );
    // Rolled back, as where the lease is in doubt, a transactional step has not even half happened.
    if (transactionOf(ctx) !== undefined) return;
    const before = this.#begun.get(pointer);
    const { faults } = process;
    if (pointer.begun && before !== undefined) return fail("as it has before, and its `onCrash` was not asked");
    if (before?.process === process && before.lease === lease && before.faults === faults && !before.signal.aborted)
      return fail("as it has before, and nothing has become of that");
    this.#begun.set(pointer, { process, lease, faults, signal });
  }
}

function transactionOf(ctx: StepContext): ApplicationTransaction | undefined {
  return (ctx as { readonly tx?: ApplicationTransaction }).tx;
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
