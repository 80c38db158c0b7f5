import type { WorkflowDefinition } from "../../definition/definition.ts";
import { transactionalStep } from "../../definition/transactional.ts";
import { decide } from "../../engine/decide.ts";
import type { Decision, Effects } from "../../engine/decision.ts";
import type { Entry } from "../../engine/entries.ts";
import { evolveTurn, initialState } from "../../engine/evolve.ts";
import type { Input } from "../../engine/inputs.ts";
import { decodeEntries } from "../../engine/records.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { emptySummary, type StepSummary } from "../../engine/step-summary.ts";
import { storeError } from "../../engine/stored-error.ts";
import {
  attemptOf,
  awaitedStreams,
  isFinal,
  isPoison,
  isSuspect,
  needsBegin,
  type Attempt,
} from "../../engine/work.ts";
import { CorruptedRecordError, FatalError, NewerFormatError, StoreError, type AbortReason } from "../../errors.ts";
import type { CommitResult, RowWrite, TurnCommit } from "../../providers/persistence-provider.ts";
import type { Run, WorkflowRow } from "../../providers/records.ts";
import type { Timer } from "../../runtime/runtime.ts";
import { readArrivals, type Arrivals } from "./arrivals.ts";
import type { Versions } from "./going-back.ts";
import { returnedInput, stragglerInput, threwInput, timedOutInput } from "./attempt-result.ts";
import { Bodies, endedStragglers } from "./bodies.ts";
import { Body, type BodyOwner } from "./body.ts";
import { noChildren, prepareChildren, Refusals, type Parent, type PreparedChildren } from "./children.ts";
import type { CommitSource } from "./committer.ts";
import { summarizeAll } from "./fold-journal.ts";
import { InputQueue } from "./input-queue.ts";
import { Intake, type BroughtIn, type IntakeOutcome, type Origin } from "./intake.ts";
import { tellEntries, tellStarted } from "./lifecycle.ts";
import {
  changedRow,
  shownBy,
  type Shown,
  missingTurns,
  passedOnRow,
  quarantinedRow,
  restingRow,
  type Standing,
  unusable,
} from "./parking.ts";
import type { RunnerContext } from "./runner-context.ts";
import { lengthAfter, noEffects, turnCommit, type JournalLength } from "./turn-commit.ts";
import { TurnIds } from "./turn-ids.ts";
import { workAtHand, type WorkAtHand } from "./work-at-hand.ts";
import { Transaction, type TransactionOutcome } from "./transaction.ts";

/** A turn that has been decided and is with the committer. */
interface Flight {
  readonly inputs: readonly Input[];
  readonly entries: readonly Entry[];
  readonly effects: Effects;
  readonly state: WorkflowState;
  /** What the state after it wants. */
  readonly work: WorkAtHand;
  readonly turn: TurnCommit;
}

/** Throws of a body aborted for these reasons are no failures: it runs again under the same key, unless `onCrash` says otherwise. */
const harmless: ReadonlySet<AbortReason | undefined> = new Set(["suspended", "stopping", "lease-lost"] as const);

const nothingAtHand: WorkAtHand = { ready: [], dueAt: null, continues: false, journal: [] };

/** Turns in a row that the engine makes nothing of, although it asked for them. */
const mostFruitless = 5;
/**
 * A workflow in hand, from claim to park.
 *
 * `pump` does what there is to do, in this order: read what has come, run what is ready, decide what has ended, let go. At most
 * one turn is under way: what ends meanwhile is decided together as the next one, when the committer asks for it.
 */
export class WorkflowRun implements CommitSource, BodyOwner {
  readonly run: Run;
  readonly claim: number;
  readonly #context: RunnerContext;
  readonly #origin: Origin;
  readonly #ids: TurnIds;
  /** While it is brought into hand. */
  #intake: Intake | undefined;
  #row: WorkflowRow | undefined;
  #shown: Shown = { phase: "active", version: 0 };
  #definition: WorkflowDefinition | undefined;
  #state: WorkflowState = initialState();
  #work: WorkAtHand = nothingAtHand;
  #summary: StepSummary = emptySummary();
  readonly #length: JournalLength = { turns: 0, journalSize: 0, checkpointSize: 0 };

  /** Waits for a turn, a read or a row write to end; `pump` does nothing meanwhile. */
  #busy = true;
  #gone = false;
  /** The row's signals when inbox and events were read last. */
  #noted = -1;
  #needsPull = false;
  readonly #inputs = new InputQueue();
  /** Entries that need no decision, to be appended next. */
  #raw: readonly Entry[] | undefined;
  /** Decided ahead of the flush, since reading was needed for it. */
  #prepared: Flight | undefined;
  #flight: Flight | undefined;
  #enqueued = false;
  readonly #bodies = new Bodies();
  /** Bodies that were told to end and did, without a result, where `onCrash` has a say: to be put on record. */
  #halfDone: Attempt[] = [];
  #transaction: Transaction<Flight> | undefined;
  /** A transactional turn that may have been stored, where an `attempt-lost` is on its way. */
  #uncertain: Flight | undefined;
  #timer: Timer | undefined;
  #timerAt = 0;
  #fruitless = 0;
  /** When the turn under way was given to the committer; noted only where somebody measures. */
  #tookOffAt = 0;
  #broken = false;
  /** Whether it is being put aside. */
  #quarantined = false;
  /** Whether a turn of this object has been stored. */
  #hasAppended = false;
  /** Whether it is at the gate of suspects, or beyond. */
  #suspected = false;
  #lettingGo = false;

  constructor(context: RunnerContext, origin: Origin) {
    this.#context = context;
    this.#origin = origin;
    this.run = origin.kind === "claimed" ? origin.claimed.row.run : origin.run;
    this.claim = origin.kind === "claimed" ? origin.claimed.row.claim : origin.claim;
    this.#ids = new TurnIds(context.newTurnPrefix());
  }

  get gone(): boolean {
    return this.#gone;
  }

  // ---------------------------------------------------------------- into hand

  begin(): void {
    this.#intake = new Intake(this.#context, this.#origin, this.#ids, (outcome) => this.#broughtIn(outcome));
    this.#intake.begin();
  }

  #broughtIn(outcome: IntakeOutcome): void {
    this.#intake = undefined;
    if (this.#gone) return;
    if (outcome.kind === "lost") return this.#drop("conflict", false);
    this.#row = outcome.row;
    this.#shown = shownBy(outcome.row);
    if (outcome.kind === "unreadable") return this.#quarantine(outcome.error);
    if (outcome.kind === "elsewhere") {
      const { version, definitionHash } = outcome;
      return this.#writeRow(passedOnRow(this.#context, outcome.row, version, definitionHash));
    }
    try {
      this.#goOnFrom(outcome);
    } catch (error) {
      this.#quarantine(error);
    }
  }

  #goOnFrom({ state, summary, definition, ...broughtIn }: BroughtIn): void {
    this.#work = workAtHand(state, this.#context.core.options.maxLoneDeaths);
    this.#state = state;
    this.#summary = summary;
    this.#definition = definition;
    this.#length.turns = broughtIn.turns;
    this.#length.journalSize = broughtIn.journalSize;
    this.#length.checkpointSize = broughtIn.checkpointSize;
    this.#needsPull = broughtIn.needsPull;
    this.#noted = broughtIn.notedSignals;
    this.#raw = broughtIn.entries;
    this.#inputs.add(...broughtIn.inputs, ...endedStragglers(state, this.#bodies));
    this.#busy = false;
    this.pump();
  }

  // ------------------------------------------------------------------ at work

  /** Something may have come for it. */
  poke(signals?: number): void {
    if (signals !== undefined && signals <= this.#noted) return;
    this.#needsPull = true;
    this.pump();
  }

  /** Does what there is to do, until it waits for something. */
  pump(): void {
    if (this.#busy || this.#gone || !this.#context.mayAct()) return;
    try {
      this.#goOn();
    } catch (error) {
      this.#broke(error);
    }
  }

  #goOn(): void {
    const { stopping } = this.#context;
    if (this.#lettingGo) return this.#letGoNow();
    if (this.#halfDone.length > 0) this.#raw ??= abandonedEntries(this.#takeHalfDone());
    if (this.#raw !== undefined) return this.#enqueue();
    if (!stopping) {
      if (!this.#inputs.hasArrivals) {
        if (this.#needsPull) return this.#pull();
        if (this.#isHeld()) return;
        if (this.#work.ready.length > 0) this.#runBodies();
        if (this.#needsPull) return this.#pull();
      }
      if (this.#lookAhead()) return;
    }
    if (this.#inputs.size > 0) return this.#enqueue();
    if (!stopping && this.#runTransaction()) return;
    this.#rest();
  }

  #enqueue(): void {
    this.#busy = true;
    if (this.#enqueued) return;
    this.#enqueued = true;
    this.#context.committer.enqueue(this);
  }

  #pull(): void {
    const definition = this.#definition;
    if (definition === undefined) return;
    this.#busy = true;
    this.#needsPull = false;
    const at = this.#context.core.engineNow();
    const { run, namespace } = this.#row as WorkflowRow;
    const { reads, core } = this.#context;
    const versions: Versions = (version) => core.registry.get(definition.id, version);
    const reading = readArrivals(reads, { run, namespace }, definition, this.#state, at, versions);
    this.#reads(reading, (arrivals) => this.#cameIn(arrivals, at));
  }

  #cameIn(arrivals: Arrivals, at: number): void {
    this.#noted = Math.max(this.#noted, arrivals.signals);
    if (arrivals.more) this.#needsPull = true;
    this.#inputs.addArrivals(arrivals.inputs);
    // The streams were read after these deadlines had passed, so an event that came in time has been seen.
    const { dueAt } = this.#work;
    if (dueAt !== null && dueAt <= at) this.#timeCame(dueAt, at);
    this.#busy = false;
    this.pump();
  }

  /** A suspect waits for the gate, and puts it on record that it runs alone. */
  #isHeld(): boolean {
    const { suspects, core } = this.#context;
    if (!isSuspect(this.#state)) {
      if (this.#suspected) suspects.leave(this);
      this.#suspected = false;
      return false;
    }
    this.#suspected = true;
    if (isPoison(this.#state, core.options.maxLoneDeaths)) this.#inputs.add({ kind: "continue" });
    if (this.#inputs.size === 0) {
      if (!suspects.enter(this)) return true;
      if (this.#state.takeover.alone) return false;
      this.#raw = [{ kind: "run-alone" }];
    }
    this.#enqueue();
    return true;
  }

  /** Starts every body that is ready. Synchronous ones have ended when it returns. */
  #runBodies(): void {
    const definition = this.#definition;
    if (definition === undefined) return;
    const { core, bodies } = this.#context;
    this.#busy = true;
    const ended = this.#inputs.pointers();
    for (const pointer of this.#work.ready) {
      if (this.#bodies.has(pointer) || ended?.has(pointer) === true) continue;
      if (bodies.isFull) {
        bodies.whenThereIsRoom(this);
        break;
      }
      if (needsBegin(definition, this.#state, pointer)) {
        this.#inputs.add({ kind: "begin", pointer });
        continue;
      }
      const attempt = attemptOf(definition, this.#state, pointer);
      if (transactionalStep in attempt.node.body) continue;
      if (core.hub.active) tellStarted(core.hub, attempt);
      const { telemetry } = core;
      const told = telemetry?.active === true ? telemetry.attempt(attempt, this.#state.identity.trace) : undefined;
      const body = new Body(core, this, bodies, attempt, told);
      this.#bodies.add(body);
      body.begin();
    }
    this.#busy = false;
  }

  bodyEnded(body: Body, mode: "running" | "late" | "straggler", returned: boolean, value: unknown): void {
    this.#bodies.remove(body);
    if (this.#gone) return;
    const { limits } = this.#context.core.options;
    // What is late has failed already; but its undoing may want to know what it gave.
    if (mode !== "running") this.#inputs.add(stragglerInput(body.attempt, returned, value, limits));
    else if (returned) this.#inputs.add(returnedInput(body.attempt, value, limits));
    else if (!harmless.has(body.abortReason)) this.#inputs.add(threwInput(body.attempt, value));
    // It may have half happened, as where its host dies.
    else if ((body.attempt.node.onCrash ?? "retry") !== "retry") this.#halfDone.push(body.attempt);
    this.#hasInput();
  }

  bodyTimedOut(body: Body): void {
    if (this.#gone) {
      this.#bodies.remove(body);
      return body.leave();
    }
    this.#inputs.add({ ...timedOutInput(body.attempt), stillRuns: true });
    this.#hasInput();
  }

  /** The short way of `pump` where nothing comes before deciding what has ended. */
  #hasInput(): void {
    if (this.#busy) return;
    const plain = this.#inputs.size > 0 && !this.#needsPull && !this.#lettingGo && this.#raw === undefined;
    if (plain && this.#context.mayAct()) this.#enqueue();
    else this.pump();
  }

  /** Adds what the state itself asks for. True: it had to read first. */
  #lookAhead(): boolean {
    const { core } = this.#context;
    const { dueAt, continues, journal } = this.#work;
    if (dueAt !== null && !this.#inputs.hasArrivals) {
      const now = core.engineNow();
      if (dueAt <= now) {
        // Events up to the deadline come first: the streams are read once more, after it has passed.
        if (awaitedStreams(this.#state).length > 0) {
          this.#pull();
          return true;
        }
        this.#timeCame(dueAt, now);
      }
    }
    if (this.#inputs.size > 0) return false;
    if (continues) this.#inputs.add({ kind: "continue" });
    const [needed] = journal;
    if (this.#inputs.size > 0 || needed === undefined) return false;
    this.#busy = true;
    this.#reads(this.#context.reads.turn(this.run, needed.seq), (turn) => {
      const entries = turn === undefined ? [] : decodeEntries(turn.entriesText);
      this.#inputs.add({ kind: "journal", pointer: needed.pointer, seq: needed.seq, entries });
      this.#busy = false;
      this.pump();
    });
    return true;
  }

  #timeCame(dueAt: number, now: number): void {
    this.#context.core.telemetry?.timer(now - dueAt);
    this.#inputs.addDue(now);
  }

  // --------------------------------------------------------------------- turns

  takeTurn(): TurnCommit | undefined {
    this.#enqueued = false;
    if (this.#gone || this.#flight !== undefined) return undefined;
    try {
      return this.#decideTurn();
    } catch (error) {
      this.#broke(error);
      return undefined;
    }
  }

  #decideTurn(): TurnCommit | undefined {
    if (this.#prepared !== undefined) return this.#takeOff(this.#prepared);
    if (this.#raw !== undefined) return this.#rawTurn(this.#raw);
    const definition = this.#definition;
    if (definition === undefined) return undefined;
    const { inputs, at = this.#context.core.engineNow() } = this.#inputs.take();
    const decision = decide(definition, this.#state, inputs, this.#context.decideAt(at));
    if (decision.entries.length === 0) return this.#nothingCame(inputs);
    const { startChildren, stopChildren, retryChildren } = decision.effects;
    if (startChildren.length + stopChildren.length > 0 || retryChildren !== undefined) {
      this.#reads(this.#withChildren(definition, inputs, decision, at), (flight) => {
        this.#prepared = flight;
        this.#enqueue();
      });
      return undefined;
    }
    return this.#takeOff(this.#flightOf(inputs, decision, noChildren));
  }

  #takeOff(flight: Flight): TurnCommit {
    this.#prepared = undefined;
    this.#flight = flight;
    if (this.#context.core.telemetry?.active === true) this.#tookOffAt = this.#context.core.runtime.clock.monotonic();
    return flight.turn;
  }

  /** Nothing is to be appended: inputs that came too late. Only where the engine itself had asked for them is that an error. */
  #nothingCame(inputs: readonly Input[]): undefined {
    const asked = inputs.some(
      ({ kind }) => kind === "due" || kind === "continue" || kind === "journal" || kind === "begin",
    );
    this.#fruitless = asked ? this.#fruitless + 1 : 0;
    if (this.#fruitless > mostFruitless) {
      throw new CorruptedRecordError(
        `workflow \`${this.#state.identity.id}\` asks for what it then makes nothing of (${inputs.map(({ kind }) => kind).join(", ")}): this is a defect of WFE, please report it`,
      );
    }
    this.#busy = false;
    this.pump();
    return undefined;
  }

  #rawTurn(entries: readonly Entry[]): TurnCommit {
    const state = evolveTurn(this.#state, { seq: this.#state.seq + 1, entries });
    return this.#takeOff(this.#flightOf([], { entries, state, effects: noEffects }, noChildren));
  }

  /** Decides again where a child cannot be, until all can; only then there is something to append. */
  async #withChildren(
    definition: WorkflowDefinition,
    inputs: readonly Input[],
    first: Decision,
    at: number,
  ): Promise<Flight> {
    const parent = this.#parent();
    const refused = new Refusals(parent);
    let decision = first;
    for (;;) {
      const children = await prepareChildren(this.#context, parent, refused.without(decision.effects));
      if (children.refusals.length === 0) return this.#flightOf([...inputs, ...refused.inputs], decision, children);
      refused.add(children.refusals);
      decision = decide(definition, this.#state, [...inputs, ...refused.inputs], this.#context.decideAt(at));
    }
  }

  #parent(): Parent {
    // Not the state's identity: before its first turn it has none.
    const { id, namespace, priority } = this.#row as WorkflowRow;
    return { run: this.run, namespace, id, priority, state: this.#state };
  }

  #flightOf(inputs: readonly Input[], { entries, text, state, effects }: Decision, children: PreparedChildren): Flight {
    const { run, namespace, parent } = this.#row as WorkflowRow;
    const work = workAtHand(state, this.#context.core.options.maxLoneDeaths);
    const turn = turnCommit(this.#context, {
      workflow: { run, namespace, parent },
      claim: this.claim,
      turn: this.#ids.next(),
      entries,
      text,
      state,
      effects,
      children,
      row: restingRow(this.#context, this.#standing(state, work)) ?? changedRow(this.#shown, state, this.#noted),
      summary: this.#summary,
      length: this.#length,
    });
    return { inputs, entries, effects, state, work, turn };
  }

  settle(result: CommitResult): void {
    if (this.#context.core.telemetry !== undefined) this.#measure(this.#flight, result);
    if (this.#gone) return this.#tellLate(this.#flight, result);
    try {
      this.#settled(result);
    } catch (error) {
      this.#broke(error);
    }
  }

  /** Only where somebody measures. */
  #measure(flight: Flight | undefined, result: CommitResult): void {
    const { telemetry, runtime } = this.#context.core;
    if (telemetry === undefined || flight === undefined) return;
    if (result.outcome === "applied" && !telemetry.active) return;
    const stored = result.outcome === "applied" || (result.outcome === "conflict" && result.turn === flight.turn.turn);
    if (!stored && (result.outcome === "conflict" || result.outcome === "hole")) telemetry.lost(result.outcome);
    if (!telemetry.active) return;
    const { identity, seq } = flight.state;
    const [first] = flight.entries;
    telemetry.turn({
      workflowId: identity.id,
      namespace: identity.namespace,
      definitionId: identity.definitionId,
      seq,
      entries: flight.entries.length,
      kind: first?.kind ?? "",
      outcome: stored ? "applied" : result.outcome === "body-failed" ? "failed" : result.outcome,
      durationMs: this.#tookOffAt === 0 ? 0 : runtime.clock.monotonic() - this.#tookOffAt,
      traceparent: identity.trace,
    });
  }

  /** Out of hand already; but it was this host that committed the turn, and nobody else tells of it. */
  #tellLate(flight: Flight | undefined, result: CommitResult): void {
    this.#flight = undefined;
    if (flight === undefined) return;
    if (result.outcome === "applied" || (result.outcome === "conflict" && result.turn === flight.turn.turn))
      this.#tell(flight, this.#state);
  }

  #settled(result: CommitResult): void {
    const flight = this.#flight;
    this.#flight = undefined;
    if (flight === undefined) return;
    switch (result.outcome) {
      case "applied":
        if (flight.turn.row !== undefined && !result.rowWritten) {
          this.#tell(flight, this.#state);
          return this.#drop("conflict", true);
        }
        return this.#applied(flight, result.signals, result.behind, result.dueAt);
      case "conflict":
        // An earlier attempt to store these bytes had been applied. What else its answer said is not known.
        if (result.turn === flight.turn.turn) return this.#applied(flight, Number.POSITIVE_INFINITY, true, undefined);
        if (this.#uncertain !== undefined && result.turn === this.#uncertain.turn.turn) {
          return this.#applied(this.#uncertain, Number.POSITIVE_INFINITY, true, undefined);
        }
        this.#flight = flight;
        return this.#drop("conflict", true);
      case "hole":
        // After it was loaded anew, what the journal holds and what the store says of its end do not fit together.
        if (this.#origin.kind === "again" && !this.#hasAppended)
          return this.#quarantine(missingTurns(this.#row as WorkflowRow, this.#state));
        this.#flight = flight;
        return this.#drop("conflict", true);
      case "failed":
        return this.#refused(flight, result.error);
      case "body-failed":
        return this.#broke(result.error);
    }
  }

  #applied(flight: Flight, signals: number, behind: boolean, dueAt: number | null | undefined): void {
    const before = this.#state;
    const { state, turn } = flight;
    this.#hasAppended = true;
    this.#state = state;
    this.#work = flight.work;
    this.#raw = undefined;
    this.#uncertain = undefined;
    this.#fruitless = 0;
    summarizeAll(this.#summary, flight.entries);
    lengthAfter(this.#length, turn);
    if (turn.row !== undefined) this.#shown = { phase: state.phase, version: state.identity.version };
    this.#tell(flight, before);
    if (before.seq >= 0 && state.identity.version !== before.identity.version) {
      this.#definition =
        this.#context.core.registry.get(state.identity.definitionId, state.identity.version) ?? this.#definition;
    }
    if (this.#bodies.size > 0) this.#bodies.follow(state);
    if (turn.create !== undefined) this.#context.created(turn.create);
    if (turn.row?.release === true) return this.#releasedWith(dueAt);
    if (state.stragglers.size > 0) this.#inputs.add(...endedStragglers(state, this.#bodies));
    const revived = before.phase !== "active" && state.phase === "active";
    if (behind || revived || signals > this.#noted) this.#needsPull = true;
    if (turn.create !== undefined) this.#context.poke();
    this.#busy = false;
    this.pump();
  }

  /** Tells listeners and waiters here what has been committed. */
  #tell({ state, entries, effects, turn }: Flight, before: WorkflowState): void {
    const { hub } = this.#context.core;
    if (hub.active && this.#definition !== undefined) tellEntries(hub, this.#definition, state, entries);
    if (effects.read.length > 0) hub.deliveriesRead(this.run, effects.read);
    if (turn.row === undefined || !isFinal(state) || isFinal(before)) return;
    const { status, completedAt, resultText, errorText } = turn.row;
    hub.ended({
      run: this.run,
      namespace: state.identity.namespace,
      workflowId: state.identity.id,
      status,
      completedAt,
      resultText,
      errorText,
    });
  }

  /** The store would not have this turn, alone, whatever is tried: the step whose result it held fails. */
  #refused(flight: Flight, error: Error): void {
    const [input] = flight.inputs;
    if (input === undefined) return this.#quarantine(error);
    if (flight.inputs.length > 1) {
      this.#inputs.putBackApart(flight.inputs);
      return this.#enqueue();
    }
    if (input.kind !== "attempt-returned") return this.#suspendFor(error);
    const { pointer, attempt } = input;
    const stored = storeError(error, { stepId: this.#state.pointers.get(pointer)?.step, attempt });
    this.#inputs.putBackApart([
      { kind: "attempt-threw", pointer, attempt, error: stored, thrown: error, unstorable: true },
    ]);
    this.#enqueue();
  }

  /** Something went wrong that no step is to blame for. The workflow is suspended with the reason; others go on. */
  #broke(error: unknown): void {
    if (this.#gone) return;
    this.#context.core.log.error("a workflow cannot go on and is suspended; others are not affected", {
      workflowId: this.#row?.id,
      run: this.run,
      error,
    });
    this.#suspendFor(unusable(error, this.#row, { state: this.#state, definition: this.#definition }));
  }

  #suspendFor(error: unknown): void {
    if (this.#broken || this.#state.seq < 0 || this.#state.phase !== "active") return this.#quarantine(error);
    this.#broken = true;
    const stored = storeError(error);
    const unrecorded = abandonedEntries(this.#unrecorded()) ?? [];
    this.#raw = [...unrecorded, { kind: "workflow-suspended", reason: stored.message, error: stored }];
    this.#inputs.clear();
    this.#flight = undefined;
    this.#prepared = undefined;
    this.#enqueue();
  }

  // ------------------------------------------------------------- transactions

  /** Begins the first transactional step that is ready. It takes the workflow's one turn until it has ended. */
  #runTransaction(): boolean {
    const definition = this.#definition;
    if (definition === undefined || this.#bodies.size >= this.#work.ready.length) return false;
    for (const pointer of this.#work.ready) {
      if (this.#bodies.has(pointer) || needsBegin(definition, this.#state, pointer)) continue;
      const attempt = attemptOf(definition, this.#state, pointer);
      if (!(transactionalStep in attempt.node.body)) continue;
      this.#busy = true;
      this.#beginTransaction(attempt);
      return true;
    }
    return false;
  }

  #beginTransaction(attempt: Attempt): void {
    const { core } = this.#context;
    const definition = this.#definition as WorkflowDefinition;
    if (!core.providers.persistence.transactionalSteps) {
      const error = new FatalError(
        `step \`${attempt.node.id}\` is transactional, and this host's store has no transactions for steps: use the store that the step was made for`,
      );
      this.#inputs.add(threwInput(attempt, error));
      this.#busy = false;
      return this.pump();
    }
    if (core.hub.active) tellStarted(core.hub, attempt);
    this.#transaction = new Transaction<Flight>(this.#context, {
      parent: this.#parent(),
      definition,
      attempt,
      isWanted: () => !this.#gone,
      flightOf: (inputs, decision, children) => this.#flightOf(inputs, decision, children),
      ended: (outcome) => this.#transactionEnded(attempt, outcome),
    });
    this.#transaction.begin();
  }

  #transactionEnded(attempt: Attempt, outcome: TransactionOutcome<Flight>): void {
    this.#transaction = undefined;
    if (this.#gone) return outcome.kind === "settled" ? this.#tellLate(outcome.flight, outcome.result) : undefined;
    switch (outcome.kind) {
      case "settled":
        this.#flight = outcome.flight;
        return this.settle(outcome.result);
      case "lost":
        return this.#drop("conflict", true);
      case "failed":
        this.#inputs.add(outcome.input);
        this.#busy = false;
        return this.pump();
      case "unknown":
        // Its writes cannot be repeated. Whichever turn takes the seq decides: if this one does, that one never will.
        this.#uncertain = outcome.flight;
        this.#raw = [{ kind: "attempt-lost", pointer: attempt.pointer }];
        return this.#enqueue();
    }
  }

  // -------------------------------------------------------------- out of hand

  /** Nothing is left to do: the workflow is let go, or waits in hand for a body or a near time. */
  #rest(): void {
    const row = restingRow(this.#context, this.#standing(this.#state, this.#work));
    if (row === undefined) return this.#arm();
    this.#busy = true;
    this.#writeRow(row);
  }

  /** How it stands in this state, or will when the state is committed. */
  #standing(state: WorkflowState, work: WorkAtHand): Standing {
    // What came while it was suspended has not been read.
    const revived = this.#state.phase !== "active" && state.phase === "active";
    return {
      state,
      work,
      bodies: this.#bodies,
      hasInputs: this.#inputs.size > 0 || this.#halfDone.length > 0,
      pulls: this.#needsPull || revived,
      notedSignals: this.#noted,
    };
  }

  #writeRow(row: RowWrite): void {
    this.#reads(this.#context.reads.writeRow({ run: this.run, claim: this.claim, row }), (written) => {
      if (written) this.#releasedWith(row.release ? undefined : null);
      else this.#drop("conflict", true);
    });
  }

  #releasedWith(dueAt: number | null | undefined): void {
    this.#end("cancelled");
    this.#context.released(this.run, dueAt);
  }

  /** What cannot be read, or not be written, is left alone until something comes for it; others go on. */
  #quarantine(thrown: unknown): void {
    const { core } = this.#context;
    const row = this.#row;
    // Where that cannot be written either, the next heartbeat finds it in nobody's hand: to write it again at once would never end.
    if (row === undefined || this.#quarantined) return this.#drop("conflict", false);
    this.#quarantined = true;
    core.log.error("a workflow's records cannot be used; it is left alone, others go on", {
      workflowId: row.id,
      run: this.run,
      error: thrown,
    });
    this.#busy = true;
    this.#flight = undefined;
    this.#raw = undefined;
    this.#writeRow(
      quarantinedRow(this.#context, row, unusable(thrown, row, { state: this.#state, definition: this.#definition })),
    );
  }

  /** Forgets the workflow. `look`: its row may still be ours. */
  #drop(reason: AbortReason, look: boolean): void {
    if (this.#gone) return;
    const abandoned = this.#end(reason);
    this.#context.dropped(this.run, look ? { claim: this.claim, abandoned } : undefined);
  }

  /** Its claim is lost, or the lease is: it is forgotten, and bodies still at work are strangers. */
  forget(reason: AbortReason): void {
    if (!this.#gone) this.#end(reason);
  }

  /** Tells bodies to end; what they throw then is no failure. */
  abortBodies(reason: AbortReason): void {
    this.#bodies.abort(reason);
    this.#transaction?.abort(reason);
  }

  /** Lets go of it although bodies are at work: they are left behind, and that is put on record. */
  letGo(): void {
    this.#lettingGo = true;
    this.pump();
  }

  #letGoNow(): void {
    if (this.#inputs.size > 0 || this.#raw !== undefined) return this.#enqueue();
    const left = this.#bodies
      .leave("stopping")
      .filter((pointer) => this.#state.pointers.get(pointer)?.status === "ready");
    this.#raw = abandonedEntries([...this.#takeHalfDone(), ...left]);
    if (this.#raw === undefined) return this.#rest();
    this.#enqueue();
  }

  /** Pointers of bodies that ended half done, where nothing has become of them meanwhile. */
  #takeHalfDone(): readonly number[] {
    const taken = this.#halfDone;
    this.#halfDone = [];
    const pointers = taken.filter(({ pointer, attempt }) => {
      const stands = this.#state.pointers.get(pointer);
      return stands?.status === "ready" && stands.attempt === attempt;
    });
    return pointers.map(({ pointer }) => pointer);
  }

  /** Pointers of bodies that have ended, where `onCrash` has a say and what became of them is about to be forgotten. */
  #unrecorded(): readonly number[] {
    const decided = [this.#flight, this.#prepared].flatMap((flight) => flight?.inputs ?? []);
    const ended = decided.flatMap((input) => ("attempt" in input ? [input.pointer] : []));
    const begun = [...ended, ...(this.#inputs.pointers() ?? [])].filter((pointer) => {
      const stands = this.#state.pointers.get(pointer);
      return stands?.status === "ready" && stands.begun;
    });
    return [...new Set([...this.#takeHalfDone(), ...abandonedBy(this.#raw), ...begun])];
  }

  #end(reason: AbortReason): readonly number[] {
    this.#gone = true;
    this.#intake?.cancel();
    this.#busy = true;
    this.#timer?.cancel();
    this.#context.suspects.leave(this);
    this.#transaction?.abort(reason);
    return [...this.#unrecorded(), ...this.#bodies.leave(reason)];
  }

  /** Time wakes it in hand: it is near, or a body is at work beside. */
  #arm(): void {
    const due = this.#context.stopping ? null : this.#work.dueAt;
    if (this.#timer !== undefined && due === this.#timerAt) return;
    this.#timer?.cancel();
    this.#timer = undefined;
    if (due === null) return;
    const { core } = this.#context;
    this.#timerAt = due;
    this.#timer = core.runtime.clock.setTimer(Math.max(1, due - core.engineNow()), () => {
      this.#timer = undefined;
      this.pump();
    });
  }

  /** Goes on with what was read, unless the workflow is out of hand by then. */
  #reads<Value>(reading: Promise<Value>, goOn: (value: Value) => void): void {
    const read = reading.then(
      (value) => {
        if (!this.#gone) goOn(value);
      },
      (error: unknown) => this.#readFailed(error),
    );
    read.catch((error: unknown) => this.#broke(error));
  }

  #readFailed(error: unknown): void {
    if (this.#gone) return;
    if (error instanceof CorruptedRecordError || error instanceof NewerFormatError) return this.#quarantine(error);
    // No fault of the store's: it would be the same the next time, and so on for ever.
    if (!(error instanceof StoreError)) return this.#broke(error);
    this.#context.core.log.error("the store could not be read for a workflow; it is put down, and taken up again", {
      workflowId: this.#row?.id,
      run: this.run,
      error,
    });
    this.#drop("conflict", true);
  }
}

function abandonedEntries(pointers: readonly number[]): readonly Entry[] | undefined {
  return pointers.length === 0 ? undefined : [{ kind: "attempts-abandoned", pointers }];
}

function abandonedBy(entries: readonly Entry[] | undefined): readonly number[] {
  return (entries ?? []).flatMap((entry) => (entry.kind === "attempts-abandoned" ? entry.pointers : []));
}
