import { refusalOf } from "../../engine/control.ts";
import type { Delivery, WorkflowState } from "../../engine/index.ts";
import { Turn } from "../../engine/turn.ts";
import type { StoredTurn, WorkflowRow } from "../../providers/records.ts";
import { goingBack, needsJournal, type JournalReads } from "../runner/going-back.ts";
import type { ClientShared } from "./client-shared.ts";
import { journalPages } from "./journal-pages.ts";

/**
 * Says why a workflow would refuse a call now; undefined: it would take it, or its definition is not known here. It asks what the
 * workflow itself would ask, and runs nothing of the definition's.
 */
export function refusedCalls(
  shared: ClientShared,
  row: WorkflowRow,
  state: WorkflowState,
): (delivery: Delivery) => Promise<string | undefined> {
  const { core } = shared;
  const { definitionId, version } = state.identity;
  const definition = core.registry.get(definitionId, version);
  if (definition === undefined) return async () => undefined;
  const reads = journalReads(shared);
  const context = {
    now: core.engineNow(),
    random: () => 0,
    maxLoneDeaths: core.options.maxLoneDeaths,
    limits: core.options.limits,
    definitionOf: (id: string, other: number) => core.registry.get(id, other),
  };
  return async (delivery) => {
    const versions = (other: number): typeof definition | undefined => core.registry.get(definitionId, other);
    const found = needsJournal(delivery)
      ? await goingBack(reads, { run: row.run, namespace: row.namespace }, definition, state, delivery, versions)
      : {};
    return refusalOf(new Turn(definition, state, context), delivery, found.base);
  };
}

/** Each journal is read once, however many calls are asked about. */
function journalReads({ core, store }: ClientShared): JournalReads {
  const { persistence } = core.providers;
  const journals = new Map<string, Promise<readonly StoredTurn[]>>();
  const turns: typeof persistence.turns = (run, range) => store.persistently(() => persistence.turns(run, range));
  const read = async (run: number, to: number): Promise<readonly StoredTurn[]> => {
    const journal: StoredTurn[] = [];
    for await (const page of journalPages({ turns }, run, { to })) journal.push(...page);
    return journal;
  };
  return {
    find: (namespace, ids) => store.persistently(() => persistence.find(namespace, ids)),
    journal: (run, to) => {
      const key = `${run} ${to}`;
      const known = journals.get(key) ?? read(run, to);
      journals.set(key, known);
      return known;
    },
  };
}
