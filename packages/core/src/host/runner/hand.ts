import type { Run } from "../../providers/records.ts";
import type { HostCore } from "../core/host-core.ts";
import type { Origin } from "./intake.ts";
import type { WorkflowRun } from "./workflow-run.ts";

export interface HandOptions {
  readonly lease: () => string | undefined;
  /** A workflow is ours by its row, and in nobody's hand. */
  readonly stray: (origin: Extract<Origin, { kind: "stray" }>) => void;
  /** A workflow in hand is not ours by its row. */
  readonly lost: (workflow: WorkflowRun) => void;
}

interface OwnedRow {
  readonly run: Run;
  readonly claim: number;
  readonly signals: number;
}

/** Times that a workflow is loaded again at once after it was dropped; later the heartbeat sees to it. */
const mostReturns = 3;
/** Between two checks that hints ask for. */
const checkPeriodMs = 200;

/**
 * The workflows in hand, compared with the rows that name our lease at every heartbeat: so nothing is owned and in nobody's hand,
 * and a workflow with a long body hears of what came for it even when every hint is lost.
 */
export class Hand {
  readonly #core: HostCore;
  readonly #options: HandOptions;
  readonly #byRun: Map<Run, WorkflowRun> = new Map();
  /** What differed at the last check. Only a difference that is there twice counts: claims and releases may be under way. */
  #strays: ReadonlyMap<Run, number> = new Map();
  #missing: ReadonlySet<WorkflowRun> = new Set();
  /** How often workflows were dropped and loaded again since the last check. */
  readonly #returns: Map<Run, number> = new Map();
  #checking = false;
  #checkedAt = Number.NEGATIVE_INFINITY;
  #checkPlanned = false;

  constructor(core: HostCore, options: HandOptions) {
    this.#core = core;
    this.#options = options;
  }

  get size(): number {
    return this.#byRun.size;
  }

  has(run: Run): boolean {
    return this.#byRun.has(run);
  }

  get(run: Run): WorkflowRun | undefined {
    return this.#byRun.get(run);
  }

  all(): readonly WorkflowRun[] {
    return [...this.#byRun.values()];
  }

  add(workflow: WorkflowRun): void {
    // A row of ours that is claimed once more was let go in between: what we had in hand is of an earlier claim.
    this.#byRun.get(workflow.run)?.forget("conflict");
    this.#byRun.set(workflow.run, workflow);
  }

  remove(run: Run): void {
    this.#byRun.delete(run);
  }

  clear(): void {
    this.#byRun.clear();
    this.#returns.clear();
    this.#strays = new Map();
    this.#missing = new Set();
  }

  /** Whether a workflow that was dropped may be loaded again at once. */
  mayComeAgain(run: Run): boolean {
    const returns = (this.#returns.get(run) ?? 0) + 1;
    this.#returns.set(run, returns);
    return returns <= mostReturns;
  }

  /** Compares what is in hand with the store, now: the heartbeat's part. */
  check(): void {
    this.#returns.clear();
    this.#read((before, owned) => this.#compare(before, owned));
  }

  #read(goOn: (before: readonly WorkflowRun[], owned: readonly OwnedRow[]) => void): void {
    const lease = this.#options.lease();
    if (this.#checking || lease === undefined) return;
    this.#checking = true;
    this.#checkedAt = this.#core.runtime.clock.monotonic();
    const before = this.all();
    const check = this.#core.providers.persistence.owned(lease).then(
      (owned) => {
        this.#checking = false;
        if (lease === this.#options.lease()) goOn(before, owned);
      },
      (error: unknown) => {
        this.#checking = false;
        this.#core.log.warn(
          "the workflows in hand could not be compared with the store; the next heartbeat tries again",
          { error },
        );
      },
    );
    void this.#core.runtime.clock.track(check, "engine");
  }

  /** Something has changed in the store, it is not known where: workflows in hand may be meant. Looks soon, and not too often. */
  checkSoon(): void {
    if (this.#checkPlanned || this.#byRun.size === 0) return;
    const { clock } = this.#core.runtime;
    const waitMs = this.#checkedAt + checkPeriodMs - clock.monotonic();
    this.#checkPlanned = true;
    clock.setTimer(
      Math.max(1, waitMs),
      () => {
        this.#checkPlanned = false;
        this.#read((_, owned) => {
          for (const { run, claim, signals } of owned) {
            const workflow = this.#byRun.get(run);
            if (workflow?.claim === claim) workflow.poke(signals);
          }
        });
      },
      { background: true },
    );
  }

  #compare(before: readonly WorkflowRun[], owned: readonly OwnedRow[]): void {
    const rows = new Map(owned.map((row) => [row.run, row]));
    const missing = new Set<WorkflowRun>();
    for (const workflow of before) {
      if (workflow.gone || this.#byRun.get(workflow.run) !== workflow) continue;
      const row = rows.get(workflow.run);
      if (row?.claim === workflow.claim) workflow.poke(row.signals);
      else if (this.#missing.has(workflow)) this.#options.lost(workflow);
      else missing.add(workflow);
    }
    const strays = new Map<Run, number>();
    for (const { run, claim } of owned) {
      if (this.#byRun.has(run)) continue;
      if (this.#strays.get(run) === claim) this.#options.stray({ kind: "stray", run, claim });
      else strays.set(run, claim);
    }
    this.#missing = missing;
    this.#strays = strays;
  }
}
