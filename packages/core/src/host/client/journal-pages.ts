import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { Run, StoredTurn } from "../../providers/records.ts";

/** Turns in one read of a journal. */
export const turnsPerRead = 500;

/** The turns of a workflow from one to another, both included; by default from the first, and as far as there are any. */
export async function* journalPages(
  persistence: Pick<PersistenceProvider, "turns">,
  run: Run,
  { from = 0, to }: { readonly from?: number; readonly to?: number } = {},
): AsyncGenerator<readonly StoredTurn[], void> {
  for (let next = from; ;) {
    const page = await persistence.turns(run, { from: next, ...(to === undefined ? {} : { to }), limit: turnsPerRead });
    const last = page.at(-1);
    if (last === undefined) return;
    yield page;
    if (last.seq === to) return;
    next = last.seq + 1;
  }
}
