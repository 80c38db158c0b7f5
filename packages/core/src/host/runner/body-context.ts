import { copy, handOut } from "../../codec/index.ts";
import type { StepContext, StepLog, Undoing, WorkflowInfo } from "../../definition/step-context.ts";
import { reviveError } from "../../engine/stored-error.ts";
import type { Attempt } from "../../engine/work.ts";
import { InvalidOptionError, StepAbortedError } from "../../errors.ts";
import type { LifecycleEvent } from "../../providers/lifecycle-publisher.ts";
import type { Run } from "../../providers/records.ts";
import type { HostCore } from "../core/host-core.ts";
import type { LogLineRecord } from "../core/log-keeper.ts";

/** What a context needs of the body it belongs to. */
export interface ContextOwner {
  readonly run: Run;
  readonly attempt: Attempt;
  readonly core: HostCore;
  /** Made when it is first asked for: most bodies never do. */
  readonly signal: AbortSignal;
  /** The driver's client, while a transactional step runs. */
  readonly tx: unknown;
  /** Whether the attempt is still under way: afterwards its reports are dropped. */
  readonly live: boolean;
}

/**
 * The `ctx` of one attempt. Everything is made when it is asked for, since most bodies ask for little; user code sees only the
 * interface.
 */
export class BodyContext implements StepContext {
  readonly #owner: ContextOwner;
  #data: { readonly value: unknown } | undefined;
  #log: StepLog | undefined;
  /** Lines written so far. */
  #lines = 0;

  constructor(owner: ContextOwner) {
    this.#owner = owner;
  }

  get data(): unknown {
    // The same object at each reading, also where handing out makes a copy of bytes.
    this.#data ??= { value: handOut(this.#owner.attempt.data) };
    return this.#data.value;
  }

  get item(): unknown {
    return handOut(this.#owner.attempt.item);
  }

  get index(): number {
    return this.#owner.attempt.index as number;
  }

  get items(): readonly unknown[] {
    return (handOut(this.#owner.attempt.items) ?? []) as readonly unknown[];
  }

  get workflow(): WorkflowInfo {
    return this.#owner.attempt.workflow;
  }

  get step(): StepContext["step"] {
    const { node, attempt, executionId } = this.#owner.attempt;
    return { id: node.id, name: node.name, attempt, executionId };
  }

  get idempotencyKey(): string {
    return this.#owner.attempt.idempotencyKey;
  }

  get signal(): AbortSignal {
    return this.#owner.signal;
  }

  get persisted(): unknown {
    return handOut(this.#owner.attempt.persisted);
  }

  get event(): StepContext["event"] {
    const { event } = this.#owner.attempt;
    return event === null ? undefined : { name: event.name, key: event.key, payload: handOut(event.payload) };
  }

  get undoing(): Undoing {
    const { undoing, undoneKey, node } = this.#owner.attempt;
    if (undoing === null) {
      throw new InvalidOptionError(`\`ctx.undoing\` is there only in a compensation, and step \`${node.id}\` is none`, {
        stepId: node.id,
      });
    }
    const idempotencyKey = undoneKey ?? "";
    if (undoing.error !== undefined) return { output: undefined, error: reviveError(undoing.error), idempotencyKey };
    return { output: handOut(undoing.output), error: undefined, idempotencyKey };
  }

  get tx(): unknown {
    return this.#owner.tx;
  }

  get log(): StepLog {
    this.#log ??= stepLog(this.#owner, (line) => this.#keep(line));
    return this.#log;
  }

  progress(percent: number, message?: string): void {
    if (typeof percent !== "number" || !(percent >= 0 && percent <= 100)) {
      throw new InvalidOptionError(`\`ctx.progress\` takes a percentage from 0 to 100, got ${String(percent)}`);
    }
    const { outputLineBytes } = this.#owner.core.options.limits;
    const told = message === undefined ? undefined : cut(String(message), outputLineBytes);
    this.#tell("step.progress", told === undefined ? { percent } : { percent, message: told });
    this.#keep({ kind: "progress", percent, ...(told === undefined ? {} : { text: told }) });
  }

  write(stream: string, chunk: string): void {
    const { outputLineBytes } = this.#owner.core.options.limits;
    const name = cut(String(stream), longestStreamBytes);
    for (const piece of pieces(String(chunk), outputLineBytes)) {
      this.#tell("step.output", { stream: name, chunk: piece });
      this.#keep({ kind: "output", stream: name, text: piece });
    }
  }

  heartbeat(details?: unknown): void {
    this.#tell("step.progress", details === undefined ? {} : { details: copy(details, { path: "details" }) });
  }

  /** Keeps a line for whoever reads it later; an attempt that is over has nothing more to say. */
  #keep(line: WrittenLine): void {
    const { core, attempt, live, run } = this.#owner;
    if (!live || core.logs === undefined) return;
    const text = line.text === undefined ? {} : { text: cut(line.text, core.options.limits.outputLineBytes) };
    const { node, executionId } = attempt;
    this.#lines += 1;
    const from = { stepId: node.id, executionId, attempt: attempt.attempt, line: this.#lines };
    core.logs.add(run, { ...line, ...text, ...from });
  }

  #tell(type: "step.progress" | "step.output", rest: Partial<LifecycleEvent>): void {
    const { core, attempt, live } = this.#owner;
    if (!live || !core.hub.active) return;
    const { workflow, node } = attempt;
    core.hub.emit({
      type,
      namespace: workflow.namespace,
      workflowId: workflow.id,
      definitionId: workflow.definitionId,
      version: workflow.version,
      stepId: node.id,
      stepName: node.name,
      executionId: attempt.executionId,
      attempt: attempt.attempt,
      ...rest,
    });
  }
}

/** The reason of an aborted signal, in words that say what to do. */
export function abortedError(attempt: Attempt, reason: StepAbortedError["reason"]): StepAbortedError {
  const { node, workflow } = attempt;
  return new StepAbortedError(reason, `step \`${node.id}\` of workflow \`${workflow.id}\` ${why[reason]}`, {
    workflowId: workflow.id,
    stepId: node.id,
    attempt: attempt.attempt,
  });
}

const why: Readonly<Record<StepAbortedError["reason"], string>> = {
  timeout: "ran longer than its time-out; what it still returns is refused",
  cancelled: "was cancelled; what it still returns is refused",
  suspended: "was suspended: end it now, and it runs again when the workflow is resumed",
  terminated: "was ended with its workflow; what it still returns is refused",
  stopping: "is asked to end because its host stops: it runs again on another host, or when this one is back",
  "lease-lost": "is asked to end because its host may have lost its lease: another host may run it at the same time",
  conflict: "is asked to end because another host goes on with its workflow; what it still returns is refused",
};

type WrittenLine = Omit<LogLineRecord, "stepId" | "executionId" | "attempt" | "line">;

function stepLog(owner: ContextOwner, keep: (line: WrittenLine) => void): StepLog {
  const { core, attempt } = owner;
  const base = { workflowId: attempt.workflow.id, stepId: attempt.node.id, attempt: attempt.attempt };
  const write =
    (level: keyof StepLog): StepLog["info"] =>
    (message, fields) => {
      core.log[level](message, fields === undefined ? base : { ...base, ...fields });
      keep({ kind: "log", level, text: String(message), ...(fields === undefined ? {} : storable(fields)) });
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

/** The first piece; what is cut off is not kept. */
function cut(text: string, bytes: number): string {
  const [first = ""] = pieces(text, bytes);
  return first;
}

/** It is stored with every line. */
const longestStreamBytes = 256;
const largestFields = 16 * 1024;

/** Fields that cannot be stored are left away: the line itself is not. */
function storable(fields: Record<string, unknown>): { readonly fields?: unknown } {
  try {
    return { fields: copy(fields, { path: "fields", maxBytes: largestFields }) };
  } catch {
    return {};
  }
}

/** Cuts a text into pieces of at most so many bytes, between characters. */
function* pieces(text: string, bytes: number): Generator<string> {
  // At most three bytes for each unit of UTF-16.
  const units = Math.max(2, Math.floor(bytes / 3));
  if (text.length <= units) return yield text;
  for (let from = 0; from < text.length;) {
    let to = Math.min(text.length, from + units);
    const last = text.charCodeAt(to - 1);
    if (to < text.length && last >= 0xd800 && last <= 0xdbff) to -= 1;
    yield text.slice(from, to);
    from = to;
  }
}
