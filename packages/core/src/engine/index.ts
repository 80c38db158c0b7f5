export { decide } from "./decide.ts";
export { defaultLimits } from "./decision.ts";
export type { ChildStart, ChildStop, DecideContext, Decision, Effects, EngineLimits } from "./decision.ts";
export type { Entry, EntryKind } from "./entries.ts";
export { evolve, evolveTurn, initialState } from "./evolve.ts";
export type { Address } from "./evolve/address.ts";
export type { Delivery, Input, RetryBase, StreamInput } from "./inputs.ts";
export { forkState } from "./repair.ts";
export { findRetryBase } from "./retry-base.ts";
export { decodeEntries, decodeState, encodeEntries } from "./records.ts";
export type { Pointer, WorkflowIdentity, WorkflowState } from "./state.ts";
export { emptySummary, shownSteps, summarize } from "./step-summary.ts";
export type { StepStatus, StepSummary, StepView } from "./step-summary.ts";
export { reviveError, storeError } from "./stored-error.ts";
export type { StoredError } from "./stored-error.ts";
export {
  attemptOf,
  awaitedStreams,
  isFinal,
  journalNeeded,
  needsBegin,
  nextDueAt,
  projectionOf,
  readyPointers,
  wantsContinue,
} from "./work.ts";
export type { Attempt, AwaitedStream, Projection } from "./work.ts";
