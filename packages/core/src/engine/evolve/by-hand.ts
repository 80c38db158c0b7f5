import { copy } from "../../codec/index.ts";
import type { Draft } from "../draft.ts";
import type { Entry } from "../entries.ts";
import type { UndoRecord, UndoWalk } from "../state.ts";

/** What people do to a workflow: import, correct, migrate. */

/** Numbers of events and of calls are those of another store, and so are children. */
export function importInto(
  draft: Draft,
  { identity, importedAt }: Extract<Entry, { kind: "workflow-imported" }>,
): void {
  draft.identity = identity;
  // Its inbox here is empty, and begins to count anew.
  draft.inboxRead = 0;
  // Its row here is as old as the import: it cannot have ended before, and retention counts from now.
  if (draft.completedAt !== null) draft.completedAt = importedAt;
  for (const { id } of draft.lines.values()) draft.setLine({ id, cursors: {} });
  for (const { id, wait, child, status, scope } of draft.pointers.values()) {
    if (scope !== null) draft.changeScope(id, { joined: {} });
    if (wait !== null) {
      const streams = wait.streams.map((stream) => ({ ...stream, since: importedAt }));
      draft.changePointer(id, { wait: { ...wait, streams } });
    }
    if (child !== null && status === "waiting") draft.changePointer(id, { status: "held" });
  }
  if (draft.phase === "active")
    Object.assign(draft, { phase: "suspended", reason: "imported: resume it when the original is gone", error: null });
}

/** What is held waits for a correction: when it goes on, its input is made of the data as it is then. */
export function forgetInputs(draft: Draft): void {
  for (const { id, status, hasInput } of draft.pointers.values())
    if (status === "held" && hasInput) draft.changePointer(id, { hasInput: false, input: undefined });
}

export function setItem(draft: Draft, { step, scope: meant, index, item }: Extract<Entry, { kind: "item-set" }>): void {
  for (const { id, kind, scope, step: own } of draft.pointers.values()) {
    if (kind !== "for-each" || own !== step || scope === null || index >= scope.items.length) continue;
    if (meant !== undefined && meant !== id) continue;
    const items = copy(scope.items.with(index, item), { maxBytes: Number.MAX_SAFE_INTEGER, maxDepth: 500 });
    draft.changeScope(id, { items: items as readonly unknown[] });
  }
}

/** What stands at a step stands at it under its new id. */
export function renameSteps(draft: Draft, steps: Readonly<Record<string, string>>): void {
  const renamed = (step: string): string => (Object.hasOwn(steps, step) ? (steps[step] ?? step) : step);
  const before = Object.entries(draft.identity.renamed ?? {}).map(([old, now]) => [old, renamed(now)] as const);
  draft.identity = { ...draft.identity, renamed: { ...Object.fromEntries(before), ...steps } };
  for (const { id, step, scope } of draft.pointers.values()) {
    if (renamed(step) !== step) draft.changePointer(id, { step: renamed(step) });
    if (scope !== null && scope.started.length > 0)
      draft.changeScope(id, { started: scope.started.map(renamed), done: scope.done.map(renamed) });
    if (scope?.walk != null) draft.changeScope(id, { walk: renamedWalk(scope.walk, renamed) });
  }
  for (const { id, ownerStep, slot, undoing } of draft.branches.values()) {
    draft.changeBranch(id, {
      ownerStep: ownerStep === null ? null : renamed(ownerStep),
      slot: slot.startsWith("vertex:") ? `vertex:${renamed(slot.slice("vertex:".length))}` : slot,
      undoing: undoing === null ? null : { ...undoing, step: renamed(undoing.step) },
    });
  }
}

/** What is being undone is known by its new id too: it may fail and be repeated. */
function renamedWalk({ next, stack, current }: UndoWalk, renamed: (step: string) => string): UndoWalk {
  const record = (one: UndoRecord | null): UndoRecord | null =>
    one === null ? null : { ...one, step: renamed(one.step) };
  return { next, stack: stack.map(({ resume, own }) => ({ resume, own: record(own) })), current: record(current) };
}
