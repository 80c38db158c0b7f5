import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { Entry } from "../../engine/entries.ts";
import { initialState } from "../../engine/evolve.ts";
import type { Input } from "../../engine/inputs.ts";
import { encodeEntries } from "../../engine/records.ts";
import { emptySummary } from "../../engine/step-summary.ts";
import { awaitedStreams } from "../../engine/work.ts";
import { CorruptedRecordError, NewerFormatError } from "../../errors.ts";
import type {
  ClaimedWorkflow,
  CommitResult,
  LoadedWorkflow,
  TurnCommit,
} from "../../providers/persistence-provider.ts";
import type { Run, WorkflowRow } from "../../providers/records.ts";
import { decodeStartRecord, identityOf } from "../core/start-record.ts";
import type { CommitSource } from "./committer.ts";
import { foldJournal, type Folded } from "./fold-journal.ts";
import { strangeDefinition } from "./parking.ts";
import type { RunnerContext } from "./runner-context.ts";
import type { TurnIds } from "./turn-ids.ts";

/** How a workflow came to this host. */
export type Origin =
  | { readonly kind: "claimed"; readonly claimed: ClaimedWorkflow }
  /** It was dropped, and its row may still name this claim. `abandoned`: pointers whose bodies were left behind. */
  | { readonly kind: "again"; readonly run: Run; readonly claim: number; readonly abandoned: readonly number[] }
  /** Its row names our lease, and nobody has it in hand: the answer to its claim was lost. */
  | { readonly kind: "stray"; readonly run: Run; readonly claim: number };

/** Everything with which work on a workflow begins. */
export interface BroughtIn extends Folded {
  readonly row: WorkflowRow;
  readonly definition: WorkflowDefinition;
  /** Whether inbox and events are to be read first, and up to which signals they have been. */
  readonly needsPull: boolean;
  readonly notedSignals: number;
  readonly inputs: readonly Input[];
  /** Entries to be appended before anything else. */
  readonly entries: readonly Entry[] | undefined;
}

export type IntakeOutcome =
  | ({ readonly kind: "in-hand" } & BroughtIn)
  /** It is not ours, or could not be read now. */
  | { readonly kind: "lost" }
  | { readonly kind: "unreadable"; readonly row: WorkflowRow; readonly error: unknown }
  /** It has come to a version that this host has not. */
  | {
      readonly kind: "elsewhere";
      readonly row: WorkflowRow;
      readonly version: number;
      readonly definitionHash: string;
    };

/** Brings a workflow into hand: takes it over where its last host has died, and loads it. */
export class Intake implements CommitSource {
  readonly run: Run;
  readonly claim: number;
  readonly #context: RunnerContext;
  readonly #origin: Origin;
  readonly #ids: TurnIds;
  readonly #ended: (outcome: IntakeOutcome) => void;
  #row: WorkflowRow | undefined;
  /** The highest seq, while the take-over is under way. */
  #headSeq = -1;
  #gone = false;

  constructor(context: RunnerContext, origin: Origin, ids: TurnIds, ended: (outcome: IntakeOutcome) => void) {
    this.#context = context;
    this.#origin = origin;
    this.#ids = ids;
    this.#ended = ended;
    this.run = origin.kind === "claimed" ? origin.claimed.row.run : origin.run;
    this.claim = origin.kind === "claimed" ? origin.claimed.row.claim : origin.claim;
  }

  get gone(): boolean {
    return this.#gone;
  }

  begin(): void {
    const origin = this.#origin;
    if (origin.kind !== "claimed") return this.#load();
    const { row, headSeq, orphaned } = origin.claimed;
    this.#row = row;
    if (headSeq < 0) this.#beginNew(row);
    else if (orphaned) this.#takeOver(row, headSeq);
    else this.#load();
  }

  /** Nobody waits for it any more. */
  cancel(): void {
    this.#gone = true;
  }

  /** From the head seq alone, before anything is decoded: it fences the dead host, also where the record itself is deadly. */
  #takeOver(row: WorkflowRow, headSeq: number): void {
    this.#row = row;
    this.#headSeq = headSeq;
    this.#context.committer.enqueue(this);
  }

  takeTurn(): TurnCommit | undefined {
    const row = this.#row;
    if (this.#gone || row === undefined) return undefined;
    return {
      run: this.run,
      claim: this.claim,
      seq: this.#headSeq + 1,
      turn: this.#ids.next(),
      host: this.#context.core.hostName,
      entriesText: encodeEntries([{ kind: "taken-over" }]),
      namespace: row.namespace,
    };
  }

  settle(result: CommitResult): void {
    if (this.#gone || this.#row === undefined) return;
    const ours = result.outcome === "conflict" && this.#ids.isOurs(result.turn);
    if (result.outcome === "applied") this.#context.core.telemetry?.takenOver();
    if (result.outcome === "applied" || ours) this.#load();
    // The dead host was not dead: its last turn came first. Ours goes after it.
    else if (result.outcome === "conflict") this.#takeOver(this.#row, this.#headSeq + 1);
    else this.#end({ kind: "lost" });
  }

  #load(): void {
    const loading = this.#context.reads.load(this.run).then(
      (loaded) => this.#loaded(loaded),
      (error: unknown) => this.#unread(error),
    );
    loading.catch((error: unknown) => this.#unreadable(error));
  }

  #loaded(loaded: LoadedWorkflow | undefined): void {
    if (this.#gone) return;
    const mine =
      loaded !== undefined && loaded.row.owner === this.#context.leaseId() && loaded.row.claim === this.claim;
    if (!mine) return this.#end({ kind: "lost" });
    const { row } = loaded;
    this.#row = row;
    const head = loaded.turns.at(-1)?.seq ?? loaded.checkpoint?.seq ?? -1;
    if (head < 0) return this.#beginNew(row);
    // Where the answer to a claim was lost, so was the word whether its last owner had died.
    if (this.#origin.kind === "stray" && this.#ids.given === 0) return this.#takeOver(row, head);
    let folded: Folded;
    try {
      folded = foldJournal(loaded);
    } catch (error) {
      return this.#unreadable(error);
    }
    this.#goOnWith(row, folded);
  }

  /** A journal without a turn: the row has all that is needed. */
  #beginNew(row: WorkflowRow): void {
    const { definitionId, version, definitionHash } = row;
    const definition = this.#context.core.registry.running(definitionId, version, definitionHash);
    if (definition === undefined) return this.#elsewhere(row, row);
    let inputs: readonly Input[];
    try {
      const start = decodeStartRecord(row.startText);
      const { data, cursors, startAt } = start;
      const { telemetry, engineNow } = this.#context.core;
      telemetry?.queued(Math.max(0, engineNow() - Math.max(row.createdAt, startAt ?? 0)));
      inputs = [
        {
          kind: "start",
          identity: identityOf(row, start),
          data,
          ...(cursors === undefined ? {} : { cursors }),
          ...(startAt === undefined ? {} : { startAt }),
        },
      ];
    } catch (error) {
      return this.#unreadable(error);
    }
    const folded = { state: initialState(), summary: emptySummary(), checkpointSize: 0, journalSize: 0, turns: 0 };
    this.#end({
      kind: "in-hand",
      ...folded,
      row,
      definition,
      ...readUpTo(row, row.signals > 0),
      inputs,
      entries: undefined,
    });
  }

  #goOnWith(row: WorkflowRow, folded: Folded): void {
    const { state } = folded;
    const { definitionId, version, definitionHash } = state.identity;
    const definition = this.#context.core.registry.running(definitionId, version, definitionHash);
    if (definition === undefined) {
      // The row names a definition that this host has, or it would not have been claimed. It may have been migrated since.
      const moved = version !== row.version || definitionHash !== row.definitionHash;
      if (definitionId === row.definitionId && moved) return this.#elsewhere(row, state.identity);
      return this.#unreadable(strangeDefinition(row, state));
    }
    const abandoned =
      this.#origin.kind === "again" && this.#ids.given === 0
        ? this.#origin.abandoned.filter((pointer) => state.pointers.get(pointer)?.status === "ready")
        : [];
    this.#end({
      kind: "in-hand",
      ...folded,
      row,
      definition,
      ...readUpTo(row, row.signals > 0 || awaitedStreams(state).length > 0),
      inputs: [],
      entries: abandoned.length === 0 ? undefined : [{ kind: "attempts-abandoned", pointers: abandoned }],
    });
  }

  #elsewhere(
    row: WorkflowRow,
    { version, definitionHash }: { readonly version: number; readonly definitionHash: string },
  ): void {
    this.#end({ kind: "elsewhere", row, version, definitionHash });
  }

  #unread(error: unknown): void {
    if (this.#gone) return;
    if (error instanceof CorruptedRecordError || error instanceof NewerFormatError) return this.#unreadable(error);
    this.#context.core.log.error("a workflow could not be loaded; it is put down, and taken up again", {
      workflowId: this.#row?.id,
      run: this.run,
      error,
    });
    this.#end({ kind: "lost" });
  }

  #unreadable(error: unknown): void {
    this.#end(this.#row === undefined ? { kind: "lost" } : { kind: "unreadable", row: this.#row, error });
  }

  #end(outcome: IntakeOutcome): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#ended(outcome);
  }
}

/** Signals of which all has been read may be noted; where something is to be read, the reading notes them. */
function readUpTo(row: WorkflowRow, needsPull: boolean): Pick<BroughtIn, "needsPull" | "notedSignals"> {
  return { needsPull, notedSignals: needsPull ? -1 : row.signals };
}
