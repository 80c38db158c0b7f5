import type { WorkflowDefinition } from "../../definition/definition.ts";
import { transactionalStep } from "../../definition/transactional.ts";
import { decide } from "../../engine/decide.ts";
import type { Decision, Effects } from "../../engine/decision.ts";
import type { Entry } from "../../engine/entries.ts";
import { evolveTurn, initialState } from "../../engine/evolve.ts";
import type { Input } from "../../engine/inputs.ts";
import { decodeEntries, encodeEntries } from "../../engine/records.ts";
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
import { CorruptedRecordError, FatalError, NewerFormatError, type AbortReason } from "../../errors.ts";
import type {
  ClaimedWorkflow,
  CommitResult,
  LoadedWorkflow,
  RowWrite,
  TurnCommit,
} from "../../providers/persistence-provider.ts";
import type { Run, WorkflowRow } from "../../providers/records.ts";
import type { Timer } from "../../runtime/runtime.ts";
import { encodeRowError, rowOf } from "../core/row-record.ts";
import { decodeStartRecord, identityOf } from "../core/start-record.ts";
import { readArrivals, type Arrivals } from "./arrivals.ts";
import { returnedInput, stragglerInput, threwInput, timedOutInput } from "./attempt-result.ts";
import { Bodies, endedStragglers } from "./bodies.ts";
import { Body, type BodyOwner } from "./body.ts";
import { noChildren, prepareChildren, Refusals, type Parent, type PreparedChildren } from "./children.ts";
import type { CommitSource } from "./committer.ts";
import { foldJournal, summarizeAll } from "./fold-journal.ts";
import { tellEntries, tellStarted } from "./lifecycle.ts";
import type { RunnerContext } from "./runner-context.ts";
import { lengthAfter, noEffects, turnCommit, type JournalLength } from "./turn-commit.ts";
import { workAtHand, type WorkAtHand } from "./work-at-hand.ts";
import { Transaction, type TransactionOutcome } from "./transaction.ts";

/** How a workflow came into this host's hand. */
export type Origin =
  | { readonly kind: "claimed"; readonly claimed: ClaimedWorkflow }
  /** It was dropped, and its row may still name this claim. `abandoned`: pointers whose bodies were left behind. */
  | { readonly kind: "again"; readonly run: Run; readonly claim: number; readonly abandoned: readonly number[] }
  /** Its row names our lease, and nobody has it in hand: the answer to its claim was lost. */
  | { readonly kind: "stray"; readonly run: Run; readonly claim: number };

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

/** Throws of a body aborted for these reasons are no failures: it runs again under the same key. */
const harmless: ReadonlySet<AbortReason | undefined> = new Set(["suspended", "stopping", "lease-lost"] as const);

const nothingAtHand: WorkAtHand = { ready: [], dueAt: null, continues: false, journal: [] };

/** Turns in a row that the engine makes nothing of, although it asked for them. */
const mostFruitless = 5;
/** A host reads again what a newer one has written after this time: that one may have been rolled back, or take it. */
const newerFormatPauseMs = 60_000;

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
  /** Turn ids: a random part, and a number. */
  readonly #turnPrefix: string;
  #turns = 0;
  #row: WorkflowRow | undefined;
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
  /** What has ended or come, and is to be decided next. */
  #inputs: Input[] = [];
  /** Whether arrivals are among the inputs: they are decided before anything else is done. */
  #arrived = false;
  /** Engine time of the next decision, where it is not the present. */
  #decideAt: number | undefined;
  /** Entries that need no decision, to be appended next. */
  #raw: readonly Entry[] | undefined;
  /** Decided ahead of the flush, since reading was needed for it. */
  #prepared: Flight | undefined;
  #flight: Flight | undefined;
  #enqueued = false;
  readonly #bodies = new Bodies();
  #transaction: Transaction<Flight> | undefined;
  /** A transactional turn that may have been stored, where an `attempt-lost` is on its way. */
  #uncertain: Flight | undefined;
  #timer: Timer | undefined;
  #timerAt = 0;
  #fruitless = 0;
  /** Inputs that are decided one by one, since together they were refused. */
  #oneByOne = 0;
  #broken = false;
  /** Whether a turn of this object has been stored. */
  #hasAppended = false;
  /** Whether it is at the gate of suspects, or beyond. */
  #suspected = false;
  #lettingGo = false;
  /** The highest seq, while its take-over is under way. */
  #headSeq: number | undefined;

  constructor(context: RunnerContext, origin: Origin) {
    this.#context = context;
    this.#origin = origin;
    this.run = origin.kind === "claimed" ? origin.claimed.row.run : origin.run;
    this.claim = origin.kind === "claimed" ? origin.claimed.row.claim : origin.claim;
    this.#turnPrefix = context.newTurnPrefix();
  }

  get gone(): boolean {
    return this.#gone;
  }

  // ---------------------------------------------------------------- into hand

  /** Brings the workflow into hand: takes it over from a dead host, loads it, and goes on. */
  begin(): void {
    const origin = this.#origin;
    if (origin.kind === "claimed") {
      this.#row = origin.claimed.row;
      const { headSeq, orphaned } = origin.claimed;
      if (headSeq < 0) return this.#beginNew(origin.claimed.row);
      if (orphaned) return this.#takeOver(headSeq);
    }
    this.#load();
  }

  /** A journal without a turn: the row has all that is needed. */
  #beginNew(row: WorkflowRow): void {
    this.#definition = this.#context.core.registry.get(row.definitionId, row.version);
    if (this.#definition === undefined) return this.#passOn(row.version, row.definitionHash);
    try {
      const start = decodeStartRecord(row.startText);
      const { data, cursors } = start;
      this.#inputs.push({
        kind: "start",
        identity: identityOf(row, start),
        data,
        ...(cursors === undefined ? {} : { cursors }),
      });
    } catch (error) {
      return this.#quarantine(error);
    }
    this.#noted = row.signals === 0 ? 0 : -1;
    this.#needsPull = row.signals > 0;
    this.#busy = false;
    this.pump();
  }

  /** From the head seq alone, before anything is decoded: it fences the dead host, also where the record itself is deadly. */
  #takeOver(headSeq: number): void {
    this.#headSeq = headSeq;
    this.#enqueue();
  }

  #takeOverTurn(row: WorkflowRow, headSeq: number): TurnCommit {
    return {
      run: this.run,
      claim: this.claim,
      seq: headSeq + 1,
      turn: this.#nextTurnId(),
      host: this.#context.core.hostName,
      entriesText: encodeEntries([{ kind: "taken-over" }]),
      namespace: row.namespace,
    };
  }

  #tookOver(result: CommitResult, headSeq: number): void {
    const ours = result.outcome === "conflict" && this.#isOurs(result.turn);
    if (result.outcome === "applied" || ours) {
      this.#headSeq = undefined;
      return this.#load();
    }
    // The dead host was not dead: its last turn came first. Ours goes after it.
    if (result.outcome === "conflict") return this.#takeOver(headSeq + 1);
    this.#drop("conflict", false);
  }

  #load(): void {
    this.#reads(this.#context.reads.load(this.run), (loaded) => this.#loaded(loaded));
  }

  #loaded(loaded: LoadedWorkflow | undefined): void {
    const mine =
      loaded !== undefined && loaded.row.owner === this.#context.leaseId() && loaded.row.claim === this.claim;
    if (!mine) return this.#drop("conflict", false);
    const { row } = loaded;
    this.#row = row;
    const head = loaded.turns.at(-1)?.seq ?? loaded.checkpoint?.seq ?? -1;
    if (head < 0) return this.#beginNew(row);
    // Where the answer to a claim was lost, so was the word whether its last owner had died.
    if (this.#origin.kind === "stray" && this.#turns === 0) return this.#takeOver(head);
    try {
      const folded = foldJournal(loaded);
      this.#state = folded.state;
      this.#work = workAtHand(folded.state, this.#context.core.options.maxLoneDeaths);
      this.#summary = folded.summary;
      this.#length.turns = folded.turns;
      this.#length.journalSize = folded.journalSize;
      this.#length.checkpointSize = folded.checkpointSize;
    } catch (error) {
      return this.#quarantine(error);
    }
    const { definitionId, version, definitionHash } = this.#state.identity;
    this.#definition = this.#context.core.registry.get(definitionId, version);
    if (this.#definition === undefined) {
      // The row names a definition that this host has, or it would not have been claimed. Only the version may have moved on.
      if (definitionId === row.definitionId && version !== row.version) return this.#passOn(version, definitionHash);
      return this.#quarantine(this.#strangeDefinition());
    }
    this.#needsPull = row.signals > 0 || awaitedStreams(this.#state).length > 0;
    this.#noted = this.#needsPull ? -1 : row.signals;
    const abandoned =
      this.#origin.kind === "again"
        ? this.#origin.abandoned.filter((pointer) => this.#state.pointers.get(pointer)?.status === "ready")
        : [];
    if (abandoned.length > 0 && this.#turns === 0) this.#raw = [{ kind: "attempts-abandoned", pointers: abandoned }];
    this.#inputs.push(...endedStragglers(this.#state, this.#bodies));
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
    if (this.#raw !== undefined) return this.#enqueue();
    if (!stopping) {
      if (this.#needsPull && !this.#arrived) return this.#pull();
      if (!this.#arrived) {
        if (this.#isHeld()) return;
        if (this.#work.ready.length > 0) this.#runBodies();
        if (this.#needsPull && !this.#arrived) return this.#pull();
      }
      if (this.#lookAhead()) return;
    }
    if (this.#inputs.length > 0) return this.#enqueue();
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
    this.#reads(readArrivals(this.#context.reads, { run, namespace }, definition, this.#state), (arrivals) =>
      this.#cameIn(arrivals, at),
    );
  }

  #cameIn(arrivals: Arrivals, at: number): void {
    this.#noted = Math.max(this.#noted, arrivals.signals);
    if (arrivals.more) this.#needsPull = true;
    if (arrivals.inputs.length > 0) {
      this.#inputs.push(...arrivals.inputs);
      this.#arrived = true;
    }
    // The streams were read after these deadlines had passed, so an event that came in time has been seen.
    const { dueAt } = this.#work;
    if (dueAt !== null && dueAt <= at) this.#timeCame(at);
    this.#busy = false;
    this.pump();
  }

  #timeCame(at: number): void {
    if (this.#decideAt !== undefined) return;
    this.#inputs.push({ kind: "due" });
    this.#decideAt = at;
    this.#arrived = true;
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
    if (isPoison(this.#state, core.options.maxLoneDeaths)) this.#inputs.push({ kind: "continue" });
    if (this.#inputs.length === 0) {
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
    const ended = endedPointers(this.#inputs);
    for (const pointer of this.#work.ready) {
      if (this.#bodies.has(pointer) || ended?.has(pointer) === true) continue;
      if (bodies.isFull) {
        bodies.whenThereIsRoom(this);
        break;
      }
      if (needsBegin(definition, this.#state, pointer)) {
        this.#inputs.push({ kind: "begin", pointer });
        continue;
      }
      const attempt = attemptOf(definition, this.#state, pointer);
      if (transactionalStep in attempt.node.body) continue;
      if (core.hub.active) tellStarted(core.hub, attempt);
      const body = new Body(core, this, bodies, attempt);
      this.#bodies.add(body);
      body.begin();
    }
    this.#busy = false;
  }

  bodyEnded(body: Body, mode: "running" | "straggler", returned: boolean, value: unknown): void {
    this.#bodies.remove(body);
    if (this.#gone) return;
    const { limits } = this.#context.core.options;
    if (mode === "straggler") this.#inputs.push(stragglerInput(body.attempt, returned, value, limits));
    else if (returned) this.#inputs.push(returnedInput(body.attempt, value, limits));
    else if (!harmless.has(body.abortReason)) this.#inputs.push(threwInput(body.attempt, value));
    this.#hasInput();
  }

  bodyTimedOut(body: Body): void {
    this.#bodies.remove(body);
    body.leave();
    if (this.#gone) return;
    this.#inputs.push(timedOutInput(body.attempt));
    this.#hasInput();
  }

  /** The short way of `pump` where nothing comes before deciding what has ended. */
  #hasInput(): void {
    if (this.#busy) return;
    const plain = this.#inputs.length > 0 && !this.#needsPull && !this.#lettingGo && this.#raw === undefined;
    if (plain && this.#context.mayAct()) this.#enqueue();
    else this.pump();
  }

  /** Adds what the state itself asks for. True: it had to read first. */
  #lookAhead(): boolean {
    const { core } = this.#context;
    const { dueAt, continues, journal } = this.#work;
    if (dueAt !== null && !this.#arrived) {
      const now = core.engineNow();
      if (dueAt <= now) {
        // Events up to the deadline come first: the streams are read once more, after it has passed.
        if (awaitedStreams(this.#state).length > 0) {
          this.#pull();
          return true;
        }
        this.#timeCame(now);
      }
    }
    if (this.#inputs.length > 0) return false;
    if (continues) this.#inputs.push({ kind: "continue" });
    const [needed] = journal;
    if (this.#inputs.length > 0 || needed === undefined) return false;
    this.#busy = true;
    this.#reads(this.#context.reads.turn(this.run, needed.seq), (turn) => {
      const entries = turn === undefined ? [] : decodeEntries(turn.entriesText);
      this.#inputs.push({ kind: "journal", pointer: needed.pointer, seq: needed.seq, entries });
      this.#busy = false;
      this.pump();
    });
    return true;
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
    if (this.#headSeq !== undefined && this.#row !== undefined) return this.#takeOverTurn(this.#row, this.#headSeq);
    if (this.#prepared !== undefined) return this.#takeOff(this.#prepared);
    if (this.#raw !== undefined) return this.#rawTurn(this.#raw);
    const definition = this.#definition;
    if (definition === undefined) return undefined;
    const inputs = this.#takeInputs();
    const at = this.#decideAt ?? this.#context.core.engineNow();
    this.#decideAt = undefined;
    this.#arrived = false;
    const decision = decide(definition, this.#state, inputs, this.#context.decideAt(at));
    if (decision.entries.length === 0) return this.#nothingCame(inputs);
    const { startChildren, stopChildren } = decision.effects;
    if (startChildren.length + stopChildren.length > 0) {
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
    return flight.turn;
  }

  #takeInputs(): readonly Input[] {
    if (this.#oneByOne > 0) {
      this.#oneByOne -= 1;
      return this.#inputs.splice(0, 1);
    }
    const inputs = this.#inputs;
    this.#inputs = [];
    return inputs;
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
      turn: this.#nextTurnId(),
      entries,
      text,
      state,
      effects,
      children,
      row: this.#restingRow(state, work) ?? this.#changedRow(state),
      summary: this.#summary,
      length: this.#length,
    });
    return { inputs, entries, effects, state, work, turn };
  }

  #nextTurnId(): string {
    this.#turns += 1;
    return `${this.#turnPrefix}.${this.#turns}`;
  }

  #isOurs(turn: string): boolean {
    return turn.startsWith(`${this.#turnPrefix}.`);
  }

  settle(result: CommitResult): void {
    if (this.#gone) return this.#tellLate(this.#flight, result);
    try {
      if (this.#headSeq !== undefined) this.#tookOver(result, this.#headSeq);
      else this.#settled(result);
    } catch (error) {
      this.#broke(error);
    }
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
        return this.#drop("conflict", true);
      case "hole":
        // After it was loaded anew, what the journal holds and what the store says of its end do not fit together.
        if (this.#origin.kind === "again" && !this.#hasAppended) return this.#quarantine(this.#damage());
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
    this.#tell(flight, before);
    if (before.seq >= 0 && state.identity.version !== before.identity.version) {
      this.#definition =
        this.#context.core.registry.get(state.identity.definitionId, state.identity.version) ?? this.#definition;
    }
    if (this.#bodies.size > 0) this.#bodies.follow(state);
    if (turn.row?.release === true) return this.#releasedWith(dueAt);
    if (state.stragglers.size > 0) this.#inputs.push(...endedStragglers(state, this.#bodies));
    const revived = before.phase !== "active" && state.phase === "active";
    if (behind || revived || signals > this.#noted) this.#needsPull = true;
    if (turn.create !== undefined) this.#context.poke();
    this.#busy = false;
    this.pump();
  }

  #strangeDefinition(): CorruptedRecordError {
    const { definitionId, version } = this.#state.identity;
    return new CorruptedRecordError(
      `the journal of workflow \`${this.#row?.id}\` names definition \`${definitionId}\` version ${version}, its row \`${this.#row?.definitionId}\` version ${this.#row?.version}: one of them is damaged. Restore it from a backup`,
      { workflowId: this.#row?.id, definitionId, version },
    );
  }

  #damage(): CorruptedRecordError {
    return new CorruptedRecordError(
      `the journal of workflow \`${this.#row?.id}\` ends at turn ${this.#state.seq}, and the store refuses the next one: turns are missing. Restore it from a backup`,
      { workflowId: this.#row?.id },
    );
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
      this.#inputs = [...flight.inputs, ...this.#inputs];
      this.#oneByOne = flight.inputs.length;
      return this.#enqueue();
    }
    if (input.kind !== "attempt-returned") return this.#suspendFor(error);
    const { pointer, attempt } = input;
    const stored = storeError(error, { stepId: this.#state.pointers.get(pointer)?.step, attempt });
    this.#inputs = [
      { kind: "attempt-threw", pointer, attempt, error: stored, thrown: error, unstorable: true },
      ...this.#inputs,
    ];
    this.#oneByOne = 1;
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
    this.#suspendFor(error);
  }

  #suspendFor(error: unknown): void {
    if (this.#broken || this.#state.seq < 0 || this.#state.phase !== "active" || this.#headSeq !== undefined)
      return this.#quarantine(error);
    this.#broken = true;
    const stored = storeError(error);
    this.#raw = [{ kind: "workflow-suspended", reason: stored.message, error: stored }];
    this.#inputs = [];
    this.#oneByOne = 0;
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
      this.#inputs.push(threwInput(attempt, error));
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
        this.#inputs.push(outcome.input);
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
    const row = this.#restingRow(this.#state, this.#work);
    if (row === undefined) return this.#arm();
    this.#busy = true;
    this.#writeRow(row);
  }

  /** The row with which the workflow can be let go in this state; undefined: there is something to do, or to wait for here. */
  #restingRow(state: WorkflowState, work: WorkAtHand): RowWrite | undefined {
    if (this.#bodies.matterTo(state) || this.#inputs.length > 0) return undefined;
    const { core, stopping } = this.#context;
    const { phase } = this.#state;
    const pulls = this.#needsPull || (phase !== "active" && state.phase === "active");
    if (pulls && !stopping) return undefined;
    const release = { release: true, notedSignals: this.#noted } as const;
    if (state.phase !== "active") return rowOf(state, { ...release, dueAt: pulls ? core.engineNow() : null });
    const works = work.ready.length > 0 || work.continues || work.journal.length > 0;
    if (works || (stopping && pulls))
      return stopping ? rowOf(state, { ...release, dueAt: core.engineNow() }) : undefined;
    const { dueAt } = work;
    if (dueAt !== null && dueAt <= core.engineNow() + core.options.nearMs && !stopping) return undefined;
    if (state.stragglers.size > 0 && endedStragglers(state, this.#bodies).length > 0 && !stopping) return undefined;
    return rowOf(state, { ...release, dueAt });
  }

  /** What queries and other hosts should see at once, although the workflow stays in hand. */
  #changedRow(state: WorkflowState): RowWrite | undefined {
    const { phase, identity, seq } = this.#state;
    if (state.phase === phase && (seq < 0 || state.identity.version === identity.version)) return undefined;
    return rowOf(state, { dueAt: null, release: false, notedSignals: this.#noted });
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

  /** This host has not the definition that the workflow has come to: one that has it takes it. */
  #passOn(version: number, definitionHash: string): void {
    const row = this.#row as WorkflowRow;
    this.#busy = true;
    this.#writeRow({ ...unchanged(row), version, definitionHash, dueAt: this.#context.core.engineNow() });
  }

  /** What cannot be read, or not be written, is left alone until something comes for it; others go on. */
  #quarantine(thrown: unknown): void {
    const { core } = this.#context;
    const row = this.#row;
    if (row === undefined) return this.#drop("conflict", false);
    core.log.error("a workflow's records cannot be used; it is left alone, others go on", {
      workflowId: row.id,
      run: this.run,
      error: thrown,
    });
    this.#busy = true;
    this.#flight = undefined;
    this.#raw = undefined;
    // Written by a newer version: its own hosts can read it, so it stays what it is.
    if (thrown instanceof NewerFormatError)
      return this.#writeRow({ ...unchanged(row), dueAt: core.engineNow() + newerFormatPauseMs });
    this.#writeRow({
      ...unchanged(row),
      status: "suspended",
      errorText: encodeRowError(storeError(thrown)),
      waitingFor: [],
    });
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
    if (this.#inputs.length > 0 || this.#raw !== undefined) return this.#enqueue();
    const abandoned = this.#bodies
      .leave("stopping")
      .filter((pointer) => this.#state.pointers.get(pointer)?.status === "ready");
    if (abandoned.length === 0) return this.#rest();
    this.#raw = [{ kind: "attempts-abandoned", pointers: abandoned }];
    this.#enqueue();
  }

  #end(reason: AbortReason): readonly number[] {
    this.#gone = true;
    this.#busy = true;
    this.#timer?.cancel();
    this.#context.suspects.leave(this);
    this.#transaction?.abort(reason);
    return this.#bodies.leave(reason);
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
    this.#context.core.log.error("the store could not be read for a workflow; it is put down, and taken up again", {
      workflowId: this.#row?.id,
      run: this.run,
      error,
    });
    this.#drop("conflict", false);
  }
}

/** Pointers whose bodies have ended, or are about to begin, and that wait for their turn. */
function endedPointers(inputs: readonly Input[]): ReadonlySet<number> | undefined {
  if (inputs.length === 0) return undefined;
  const pointers = new Set<number>();
  for (const input of inputs) {
    if (input.kind === "attempt-returned" || input.kind === "attempt-threw" || input.kind === "begin")
      pointers.add(input.pointer);
  }
  return pointers;
}

/** The row as it is, let go. */
function unchanged(row: WorkflowRow): RowWrite {
  const { status, signals, version, definitionHash, completedAt, resultText, errorText, waitingFor } = row;
  return {
    status,
    dueAt: null,
    release: true,
    notedSignals: signals,
    version,
    definitionHash,
    completedAt,
    resultText,
    errorText,
    waitingFor,
  };
}
