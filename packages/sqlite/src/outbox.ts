import type { OutboxRow, Run, SearchOutbox } from "@wfe/core/providers";
import { jsonOf, type Session } from "./session.ts";
import type { OpenStore } from "./sqlite.ts";

const mostCounted = 100_000;

/**
 * The table `wfe_outbox`. `kept.on` is set by the first host that has an index: from then on every transaction adds, as its last
 * statement, a row for each workflow it has created, written or removed.
 */
export function sqliteOutbox(opened: () => OpenStore, kept: { on: boolean }): SearchOutbox {
  return {
    keep: () => void (kept.on = true),

    read: async (limit) =>
      opened().transactions.readOne((session) =>
        session.all<OutboxRow>("SELECT place, run, at FROM wfe_outbox ORDER BY place LIMIT ?", limit),
      ),

    remove: async (places) => {
      if (places.length === 0) return;
      await opened().transactions.write((session) =>
        session.run("DELETE FROM wfe_outbox WHERE place IN (SELECT value FROM json_each(?))", JSON.stringify(places)),
      );
    },

    backlog: async () =>
      opened().transactions.read((session) => ({
        rows: session.value<number>("SELECT count(*) FROM (SELECT 1 FROM wfe_outbox LIMIT ?)", mostCounted) ?? 0,
        oldestAt: session.value<number>("SELECT at FROM wfe_outbox ORDER BY place LIMIT 1") ?? null,
      })),

    refill: async (after, limit) =>
      opened().transactions.write((session) => {
        const next = "SELECT run FROM wfe_workflows WHERE run > ? ORDER BY run LIMIT ?";
        const runs = session.values<Run>(next, after, limit);
        addToOutbox(session, runs);
        return runs.at(-1) ?? null;
      }),

    note: async () => opened().transactions.readOne(readNote),

    replaceNote: async (expected, next) =>
      opened().transactions.write((session) => {
        if (readNote(session) !== expected) return false;
        session.run("INSERT OR REPLACE INTO wfe_meta (name, value) VALUES ('search', ?)", next);
        return true;
      }),
  };
}

/** Adds a row for each of these, in the transaction that is open. */
export function addToOutbox(session: Session, runs: Iterable<Run>): void {
  // Their order is that of the list: a later change of a workflow is in a later transaction.
  session.run("INSERT INTO wfe_outbox (run, at) SELECT value, ? FROM json_each(?)", session.now(), jsonOf(runs));
}

function readNote(session: Session): string | null {
  return session.value<string>("SELECT value FROM wfe_meta WHERE name = 'search'") ?? null;
}
