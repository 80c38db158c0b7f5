/** What a schedule is judged by. */
export type Check =
  | "a journal is one line without gaps"
  | "a result is recorded once"
  | "a result is stored before its successor begins"
  | "what is acknowledged is there"
  | "calls are read once, in order"
  | "events are read in order, once per line"
  | "undoing is the reverse of what was done"
  | "the row says what the journal says"
  | "only the owner writes the row"
  | "a lease dies once"
  | "only dead hosts are robbed"
  | "a host without a lease stands still"
  | "a take-over is on record"
  | "nobody waits without a reason"
  | "nothing fires early"
  | "a claim is bounded"
  | "a stop lets go"
  | "a body runs again only for a reason"
  | "an execution has one key and one input"
  | "an effect happens once, with its result"
  | "what is within retention stays"
  | "namespaces do not see each other"
  | "each namespace gets its share"
  | "everything comes to an end"
  | "a run is not vacuous"
  | "the product does not break";

/** A check that a schedule did not pass. */
export interface Violation {
  readonly check: Check;
  readonly message: string;
  readonly atMs: number;
}

/** Keeps the first violation. What follows from it is of no interest. */
export class Verdict {
  violation: Violation | undefined;
  readonly #now: () => number;
  readonly #stop: () => void;

  constructor(now: () => number, stop: () => void) {
    this.#now = now;
    this.#stop = stop;
  }

  fail(check: Check, message: string): void {
    if (this.violation !== undefined) return;
    this.violation = { check, message, atMs: this.#now() };
    this.#stop();
  }
}
