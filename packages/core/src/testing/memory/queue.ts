import type { Clock, QueueItem, QueueProvider, Run } from "../../providers/index.ts";
import { Hints } from "./hints.ts";
import { IndexedHeap } from "../indexed-heap.ts";

interface Entry {
  readonly run: Run;
  readonly priority: number;
  readonly dueAt: number;
  /** The order of pushing, among equals. */
  readonly order: number;
  /** When it may be pulled; later than `dueAt` where it has been pulled already. */
  visibleAt: number;
}

/** `opened` gives the clock, or throws where the provider is not open. */
export function memoryQueue(opened: () => Clock): QueueProvider {
  const entries = new Map<Run, Entry>();
  const hidden = new IndexedHeap<Entry>((a, b) => a.visibleAt < b.visibleAt);
  const visible = new IndexedHeap<Entry>((a, b) =>
    a.priority === b.priority ? a.order < b.order : a.priority > b.priority,
  );
  const hints = new Hints<void>(() => undefined);
  let pushes = 0;

  const forget = (entry: Entry): void => {
    entries.delete(entry.run);
    hidden.delete(entry);
    visible.delete(entry);
  };

  // One entry per workflow. What is offered anew is there at once, also where the one before is hidden by a puller: it was
  // offered because something has happened since.
  const offer = (item: QueueItem): void => {
    const before = entries.get(item.run);
    const waiting = before !== undefined && before.visibleAt === before.dueAt;
    if (before !== undefined) forget(before);
    pushes += 1;
    const dueAt = waiting ? Math.min(before.dueAt, item.dueAt) : item.dueAt;
    const priority = waiting ? Math.max(before.priority, item.priority) : item.priority;
    const entry: Entry = { run: item.run, priority, dueAt, order: waiting ? before.order : pushes, visibleAt: dueAt };
    entries.set(entry.run, entry);
    hidden.push(entry);
  };

  const show = (now: number): void => {
    for (let entry = hidden.peek(); entry !== undefined && entry.visibleAt <= now; entry = hidden.peek()) {
      hidden.delete(entry);
      visible.push(entry);
    }
  };

  return {
    push: async (items) => {
      opened();
      for (const item of items) offer(item);
      if (items.length > 0) hints.schedule();
    },

    pull: async ({ limit, visibilityMs }) => {
      const now = opened().now();
      show(now);
      const pulled: Entry[] = [];
      while (pulled.length < limit) {
        const entry = visible.pop();
        if (entry === undefined) break;
        pulled.push(entry);
      }
      for (const entry of pulled) {
        entry.visibleAt = now + visibilityMs;
        hidden.push(entry);
      }
      return { claimed: [], candidates: pulled.map(({ run, priority, dueAt }) => ({ run, priority, dueAt })) };
    },

    remove: async (items) => {
      opened();
      for (const { run, dueAt } of items) {
        const entry = entries.get(run);
        // One that was offered anew since it was pulled stays.
        if (entry?.dueAt === dueAt) forget(entry);
      }
    },

    hints: (listener) => hints.listen(() => listener()),
  };
}
