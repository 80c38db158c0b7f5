import type { ReadTurn } from "../../engine/failures.ts";
import { decodeEntries } from "../../engine/index.ts";
import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { Run } from "../../providers/records.ts";
import { journalPages } from "./journal-pages.ts";

/** The turns of a workflow up to this one, decoded; fewer where it has fewer. */
export async function turnsUpTo(persistence: PersistenceProvider, run: Run, at: number): Promise<readonly ReadTurn[]> {
  const turns: ReadTurn[] = [];
  for await (const page of journalPages(persistence, run, { to: at }))
    for (const { seq, entriesText } of page) turns.push({ seq, entries: decodeEntries(entriesText) });
  return turns;
}
