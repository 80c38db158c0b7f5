import type { DecideContext } from "../../engine/decision.ts";
import type { NewWorkflow, Run } from "../../providers/records.ts";
import type { HostCore } from "../core/host-core.ts";
import type { BodyTally } from "./body-tally.ts";
import type { Committer } from "./committer.ts";
import type { StoreReads } from "./store-reads.ts";
import type { SuspectGate } from "./suspect-gate.ts";
import type { TransactionLane } from "./transaction-lane.ts";

/** What the workflows in hand share. */
export interface RunnerContext {
  readonly core: HostCore;
  readonly committer: Committer;
  readonly transactions: TransactionLane;
  readonly reads: StoreReads;
  readonly bodies: BodyTally;
  readonly suspects: SuspectGate;
  /** The lease under which workflows are claimed now. */
  readonly leaseId: () => string;
  /** Whether steps may begin and turns may be decided. Not while the lease is in doubt: `resume` pumps everything in hand. */
  readonly mayAct: () => boolean;
  /** No more steps begin, and what has no body at work is let go. */
  readonly stopping: boolean;
  /** What the ids of turns begin with, for one workflow: random, and never given again. */
  newTurnPrefix(): string;
  /** The context of a decision, as of `now`. */
  decideAt(now: number): DecideContext;
  /** A workflow has been let go. `dueAt`: when it wants a host again; undefined where that is not known. */
  released(run: Run, dueAt: number | null | undefined): void;
  /** A workflow is out of hand for another reason. `reload`: it may still be ours. */
  dropped(run: Run, reload: Reload | undefined): void;
  /** Children were created. */
  created(children: readonly NewWorkflow[]): void;
  /** Children were created, or something else has become due. */
  poke(): void;
}

/** What is known of a workflow that was dropped, when its row is looked at. */
export interface Reload {
  readonly claim: number;
  /** Pointers whose bodies were left behind: their next attempt is another one. */
  readonly abandoned: readonly number[];
}
