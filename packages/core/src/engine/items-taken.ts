import type { WorkflowDefinition } from "../definition/definition.ts";
import { stepNamed } from "./control.ts";
import type { Entry } from "./entries.ts";
import type { ReadTurn } from "./failures.ts";
import type { Delivery } from "./inputs.ts";

/** Why an item of a `forEach` that is not live any more cannot be replaced, as the journal tells; undefined: it can. */
export function refusesItem(
  definition: WorkflowDefinition,
  turns: readonly ReadTurn[],
  { stepId, index }: Extract<Delivery, { kind: "set-item" }>,
): string | undefined {
  const step = stepNamed(definition, stepId);
  const taken = step === undefined ? undefined : itemsTaken(turns).get(step);
  if (taken === undefined) return `\`${stepId}\` was never reached: its items are taken when it is`;
  return index < taken ? undefined : `\`${stepId}\` had ${taken} items, numbered from 0: there is no item ${index}`;
}

/** How many items each `forEach` took; of several executions, those of the one that took the most. */
function itemsTaken(turns: readonly ReadTurn[]): ReadonlyMap<string, number> {
  const taken = new Map<string, number>();
  const note = (step: string, items: readonly unknown[]): void =>
    void taken.set(step, Math.max(taken.get(step) ?? 0, items.length));
  for (const { entries } of turns) for (const entry of entries) read(entry, taken, note);
  return taken;
}

function read(entry: Entry, taken: Map<string, number>, note: (step: string, items: readonly unknown[]) => void): void {
  switch (entry.kind) {
    case "scope-opened":
      if (entry.node === "for-each") note(entry.step, entry.items ?? []);
      return;
    // What came before a fork is in its first entry alone.
    case "workflow-forked":
      for (const { kind, step, scope } of entry.state.pointers.values())
        if (kind === "for-each" && scope !== null) note(step, scope.items);
      return;
    case "workflow-migrated":
      for (const [step, now] of Object.entries(entry.steps ?? {})) {
        const count = taken.get(step);
        if (count !== undefined) taken.set(now, count);
      }
      return;
    default:
  }
}
