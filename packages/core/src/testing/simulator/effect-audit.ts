import { executionId } from "../../engine/state.ts";
import { ApplicationTable } from "./application-table.ts";
import type { JournalAudit } from "./journal-audit.ts";
import type { Verdict } from "./verdict.ts";

/** What transactional steps have written, against what the journals say that they have done. */
export class EffectAudit {
  readonly table: ApplicationTable = new ApplicationTable();
  readonly #verdict: Verdict;
  /** By definition and id. */
  readonly #steps: ReadonlySet<string>;
  #recorded = 0;

  constructor(verdict: Verdict, steps: ReadonlySet<string>) {
    this.#verdict = verdict;
    this.#steps = steps;
  }

  /** Called when a turn is in the journal, and what goes with it in the table. */
  recorded({ state, entries, label }: JournalAudit): void {
    if (this.#steps.size === 0) return;
    for (const entry of entries.at(-1) ?? []) {
      if (entry.kind !== "step-completed" || !this.#steps.has(`${state.identity.definitionId}/${entry.step}`)) continue;
      this.#recorded += 1;
      const rows = this.table.rows.get(executionId(state, entry.pointer)) ?? 0;
      if (rows !== 1)
        this.#fail(
          `${label}: the result of \`${entry.step}\` (execution ${entry.pointer}) is there with ${rows} effects`,
        );
    }
  }

  /** Called when a start has landed a second time: what its executions have written in their first life no longer counts. */
  beginsAnew(uid: string): void {
    for (const execution of this.table.rows.keys())
      if (execution.startsWith(`${uid}.`)) this.table.rows.delete(execution);
  }

  /** Called after each commit, whatever has become of it. */
  balance(): void {
    if (this.table.size !== this.#recorded)
      this.#fail(`there are ${this.table.size} effects and ${this.#recorded} results of transactional steps`);
  }

  #fail(message: string): void {
    this.#verdict.fail("an effect happens once, with its result", message);
  }
}
