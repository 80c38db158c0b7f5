import { copy, handOut } from "../../src/codec/index.ts";
import type { WorkflowDefinition } from "../../src/definition/definition.ts";
import { isStepResult } from "../../src/definition/execution-result.ts";
import type { Decision, DecideContext, Delivery, EngineLimits, Entry, Input } from "../../src/engine/index.ts";
import {
  attemptOf,
  awaitedStreams,
  decide,
  decodeEntries,
  defaultLimits,
  encodeEntries,
  evolve,
  evolveTurn,
  findRetryBase,
  initialState,
  isFinal,
  journalNeeded,
  needsBegin,
  nextDueAt,
  readyPointers,
  reviveError,
  storeError,
  wantsContinue,
  type WorkflowState,
} from "../../src/engine/index.ts";
import { endedItemScope } from "../../src/engine/set-item.ts";

interface StoredEvent {
  readonly number: number;
  readonly at: number;
  readonly name: string;
  readonly key: string;
  readonly payload: unknown;
}

/**
 * Runs one workflow with nothing but the engine: bodies run at once, time jumps, the journal is a list that is encoded and
 * decoded like a stored one. After every turn the folded journal must equal the state the engine decided.
 */
export class Driver {
  readonly definition: WorkflowDefinition;
  readonly journal: { readonly seq: number; readonly text: string }[] = [];
  readonly events: StoredEvent[] = [];
  readonly children: Decision["effects"]["startChildren"][number][] = [];
  readonly stopped: string[] = [];
  readonly retried: string[] = [];
  readonly told: Delivery[] = [];
  state: WorkflowState = initialState();
  now = 1_000_000;
  limits: EngineLimits = defaultLimits;
  #delivered = 0;
  readonly definitions: readonly WorkflowDefinition[];

  constructor(definition: WorkflowDefinition, others: readonly WorkflowDefinition[] = []) {
    this.definition = definition;
    this.definitions = [definition, ...others];
  }

  get context(): DecideContext {
    return {
      now: this.now,
      random: () => 0.5,
      maxLoneDeaths: 3,
      limits: this.limits,
      definitionOf: (id, version) => this.definitions.find((one) => one.id === id && one.version === version),
    };
  }

  get current(): WorkflowDefinition {
    return this.definitions.find((one) => one.version === this.state.identity.version) ?? this.definition;
  }

  start(data: unknown = {}): this {
    const { id, version, hash } = this.definition;
    this.feed({
      kind: "start",
      identity: {
        id: "w",
        namespace: "default",
        uid: "uid0uid0",
        definitionId: id,
        version,
        definitionHash: hash,
        createdAt: this.now,
        tags: [],
        priority: 0,
        depth: 0,
        parent: null,
      },
      data: copy(data),
    });
    return this;
  }

  feed(...inputs: Input[]): void {
    const decision = decide(this.current, this.state, inputs, this.context);
    if (decision.entries.length === 0) return;
    const text = encodeEntries(decision.entries);
    if (decision.text !== undefined && decision.text !== text)
      throw new Error(`decided as ${decision.text}, encoded as ${text}`);
    const seq = this.state.seq + 1;
    // Entry by entry, as a whole, and decided: three ways to the same state.
    const stored = decodeEntries(text);
    const folded = evolveTurn(this.state, { seq, entries: stored });
    const stepwise = stored.reduce((state, entry, index) => evolve(state, entry, { seq, index }), this.state);
    const readable = (state: WorkflowState): string =>
      JSON.stringify(state, (_, value: unknown) =>
        value instanceof Map ? [...value] : typeof value === "bigint" ? String(value) : value,
      );
    if (readable(folded) !== readable(decision.state) || readable(folded) !== readable(stepwise))
      throw new Error(`fold differs after ${text}\n${readable(folded)}\n${readable(decision.state)}`);
    this.journal.push({ seq, text });
    this.state = decision.state;
    this.children.push(...decision.effects.startChildren);
    this.stopped.push(...decision.effects.stopChildren.map((stop) => stop.childId));
    this.retried.push(...(decision.effects.retryChildren ?? []).map((retried) => retried.childId));
    if (decision.effects.tellParent !== null) this.told.push(decision.effects.tellParent);
  }

  get entries(): readonly Entry[] {
    return this.journal.flatMap((turn) => decodeEntries(turn.text));
  }

  kinds(): string[] {
    return this.entries.map((entry) => entry.kind);
  }

  publish(name: string, key: string, payload: unknown): void {
    const number = this.events.filter((event) => event.name === name && event.key === key).length + 1;
    this.events.push({ number, at: this.now, name, key, payload });
  }

  /** `children`: those that have ended and can be retried. */
  deliver(delivery: Delivery, children: readonly string[] = []): { readonly refused?: string } {
    const turns = this.journal.map((turn) => ({ seq: turn.seq, entries: decodeEntries(turn.text) }));
    const target =
      delivery.kind === "retry"
        ? delivery
        : delivery.kind === "skip-step" && this.state.phase === "failed"
          ? { from: delivery.stepId, ...(delivery.item === undefined ? {} : { item: delivery.item }) }
          : undefined;
    const named = delivery.kind === "retry" && (delivery.from ?? delivery.item ?? delivery.execution) !== undefined;
    const goesBack = target !== undefined && (named || isFinal(this.state));
    const base = goesBack ? findRetryBase(this.current, turns, target) : undefined;
    const ended = delivery.kind === "set-item" && isFinal(this.state);
    const item = ended ? endedItemScope(this.current, turns, delivery) : undefined;
    const found =
      item !== undefined ? ("refused" in item ? { base: item } : item) : base === undefined ? {} : { base, children };
    this.feed({ kind: "delivery", number: ++this.#delivered, delivery, ...found });
    const last = this.entries.findLast(
      (entry) => entry.kind === "delivery-refused" || entry.kind === "delivery-applied",
    );
    return last?.kind === "delivery-refused" ? { refused: last.reason } : {};
  }

  /** Runs until nothing more happens; with `time`, also through all timers. */
  async run(
    options: { readonly time?: boolean; readonly only?: (step: string) => boolean } = {},
  ): Promise<WorkflowState> {
    for (let rounds = 0; rounds < 100_000; rounds++) {
      if (isFinal(this.state) && this.state.phase !== "active") return this.state;
      if (wantsContinue(this.state, 3)) {
        this.feed({ kind: "continue" });
        continue;
      }
      const [needed] = journalNeeded(this.state);
      if (needed !== undefined) {
        const text = this.journal[needed.seq]?.text ?? "[]";
        this.feed({ kind: "journal", pointer: needed.pointer, seq: needed.seq, entries: decodeEntries(text) });
        continue;
      }
      const ready = readyPointers(this.state).filter(
        (id) => options.only?.(this.state.pointers.get(id)?.step ?? "") ?? true,
      );
      if (ready.length > 0) {
        for (const id of ready) if (needsBegin(this.current, this.state, id)) this.feed({ kind: "begin", pointer: id });
        const inputs = await Promise.all(
          ready.filter((id) => this.state.pointers.has(id)).map((id) => this.attempt(id)),
        );
        this.feed(...inputs);
        continue;
      }
      if (this.readEvents()) continue;
      const ended = [...this.state.stragglers.values()].filter(
        (straggler) => straggler.until !== null && !straggler.ended,
      );
      if (ended.length > 0) {
        this.feed(
          ...ended.map(
            (straggler) => ({ kind: "straggler-ended", pointer: straggler.pointer, returned: false }) as const,
          ),
        );
        continue;
      }
      const due = nextDueAt(this.state);
      if (due !== null && (options.time === true || due <= this.now)) {
        this.now = Math.max(this.now, due);
        this.readEvents();
        this.feed({ kind: "due" });
        continue;
      }
      return this.state;
    }
    throw new Error("the workflow does not come to rest");
  }

  async attempt(id: number): Promise<Input> {
    const attempt = attemptOf(this.current, this.state, id);
    const { item, index, items, workflow, executionId, idempotencyKey, persisted, event, undoing } = attempt;
    const context = {
      data: handOut(attempt.data),
      item,
      index,
      items,
      workflow,
      idempotencyKey,
      persisted,
      event: event ?? undefined,
      signal: new AbortController().signal,
      step: { id: attempt.node.id, name: attempt.node.name, attempt: attempt.attempt, executionId },
      undoing:
        undoing === null
          ? undefined
          : {
              output: undoing.output,
              error: undoing.error === undefined ? undefined : reviveError(undoing.error),
              idempotencyKey: attempt.undoneKey,
            },
    };
    try {
      const body = attempt.node.body as any;
      const value: unknown = await (attempt.node.isClass
        ? new body().run(attempt.input, context)
        : body(attempt.input, context));
      return {
        kind: "attempt-returned",
        pointer: id,
        attempt: attempt.attempt,
        value: isStepResult(value) ? value : copy(value),
      };
    } catch (thrown) {
      return {
        kind: "attempt-threw",
        pointer: id,
        attempt: attempt.attempt,
        error: storeError(thrown, { stepId: attempt.node.id, attempt: attempt.attempt }),
        thrown,
      };
    }
  }

  /** Gives waiting pointers what has been published; true when that moved something. */
  readEvents(): boolean {
    const seq = this.state.seq;
    for (const pointer of new Set(awaitedStreams(this.state).map((stream) => stream.pointer))) {
      const streams = awaitedStreams(this.state).filter((stream) => stream.pointer === pointer);
      this.feed({
        kind: "events",
        pointer,
        streams: streams.map(({ label, name, key, after, since }) => ({
          label,
          expiredThrough: 0,
          expiredAt: 0,
          events: this.events
            .filter((event) => event.name === name && event.key === key && event.number > after && event.at >= since)
            .map((event) => ({ ...event, eventId: "" })),
        })),
      });
    }
    return this.state.seq !== seq;
  }
}

/** Bodies that record that they ran. */
export function log(): {
  readonly ran: string[];
  step: (name: string) => () => void;
  failing: (name: string, times?: number) => () => void;
} {
  const ran: string[] = [];
  return {
    ran,
    step: (name) => () => void ran.push(name),
    failing: (name, times = Number.POSITIVE_INFINITY) => {
      let count = 0;
      return () => {
        ran.push(name);
        if (count++ < times) throw new Error(`${name} failed`);
      };
    },
  };
}
