import type { Entry } from "../../engine/entries.ts";
import type { Effects } from "../../engine/decision.ts";
import { encodeEntries, encodeState } from "../../engine/records.ts";
import type { WorkflowState } from "../../engine/state.ts";
import { copySummary, type StepSummary } from "../../engine/step-summary.ts";
import type { RowWrite, TurnCommit } from "../../providers/persistence-provider.ts";
import type { NewDelivery, WorkflowRow } from "../../providers/records.ts";
import { engineDelivery, type PreparedChildren } from "./children.ts";
import { summarizeAll } from "./fold-journal.ts";
import type { RunnerContext } from "./runner-context.ts";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

export const noEffects: Effects = {
  subscribe: [],
  unsubscribe: [],
  read: [],
  startChildren: [],
  stopChildren: [],
  tellParent: null,
};

/** How long the journal since the last checkpoint is, and how long that was. */
export interface JournalLength {
  turns: number;
  journalSize: number;
  checkpointSize: number;
}

export interface TurnParts {
  readonly workflow: Pick<WorkflowRow, "run" | "namespace" | "parent">;
  readonly claim: number;
  readonly turn: string;
  readonly entries: readonly Entry[];
  /** The entries encoded, where the decision has them so. */
  readonly text: string | undefined;
  /** After the turn. */
  readonly state: WorkflowState;
  readonly effects: Effects;
  readonly children: PreparedChildren;
  readonly row: RowWrite | undefined;
  /** Before the turn. */
  readonly summary: StepSummary;
  readonly length: JournalLength;
}

/** What the store is to append, with everything that goes with it. */
export function turnCommit(context: RunnerContext, parts: TurnParts): TurnCommit {
  const { workflow, entries, state, effects, children, row } = parts;
  const entriesText = parts.text ?? encodeEntries(entries);
  const turn: Mutable<TurnCommit> = {
    run: workflow.run,
    claim: parts.claim,
    seq: state.seq,
    turn: parts.turn,
    host: context.core.hostName,
    entriesText,
    namespace: workflow.namespace,
  };
  if (effects.subscribe.length > 0) turn.subscribe = effects.subscribe;
  if (effects.unsubscribe.length > 0) turn.unsubscribe = effects.unsubscribe;
  if (effects.read.length > 0) turn.read = effects.read;
  if (children.create.length > 0) turn.create = children.create;
  const deliver = deliveries(context, parts);
  if (deliver.length > 0) turn.deliver = deliver;
  if (row !== undefined) turn.row = row;
  if (wantsCheckpoint(context, parts.length, entriesText.length)) {
    const summary = copySummary(parts.summary);
    summarizeAll(summary, entries);
    turn.checkpoint = { seq: state.seq, stateText: encodeState(state, summary) };
  }
  return turn;
}

/**
 * A checkpoint is written when the journal since the last one has grown larger than it: so every byte of the journal is paid a
 * constant number of times, and a large state is not written for small changes.
 */
function wantsCheckpoint(context: RunnerContext, length: JournalLength, added: number): boolean {
  return length.turns + 1 >= context.core.options.checkpointTurns && length.journalSize + added > length.checkpointSize;
}

/** Takes note of a turn that has been stored. */
export function lengthAfter(length: JournalLength, turn: TurnCommit): void {
  if (turn.checkpoint === undefined) {
    length.turns += 1;
    length.journalSize += turn.entriesText.length;
    return;
  }
  length.turns = 0;
  length.journalSize = 0;
  length.checkpointSize = turn.checkpoint.stateText.length;
}

function deliveries(context: RunnerContext, { workflow, effects, children }: TurnParts): readonly NewDelivery[] {
  const { tellParent, tellParentFirst } = effects;
  if ((tellParent === null && tellParentFirst === undefined) || workflow.parent === null) return children.deliver;
  const { run } = workflow.parent;
  const told = [tellParentFirst, tellParent].filter((one) => one != null);
  return [...children.deliver, ...told.map((one) => engineDelivery(context, run, one))];
}
