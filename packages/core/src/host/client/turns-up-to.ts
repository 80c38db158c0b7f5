import type { ReadTurn } from "../../engine/failures.ts";
import { decodeEntries } from "../../engine/index.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { Run } from "../../providers/records.ts";

const turnsPerRead = 500;

/** The turns of a workflow up to this one, decoded; fewer where it has fewer. */
export async function turnsUpTo(persistence: PersistenceProvider, run: Run, at: number): Promise<readonly ReadTurn[]> {
  const turns: ReadTurn[] = [];
  for (;;) {
    const from = (turns.at(-1)?.seq ?? -1) + 1;
    const read = await persistence.turns(run, { from, to: at, limit: turnsPerRead });
    for (const { seq, entriesText } of read) turns.push({ seq, entries: decodeEntries(entriesText) });
    if (read.length === 0 || turns.at(-1)?.seq === at) return turns;
  }
}
