import type { QueueProvider } from "@wfe/core/providers";
import type { Hints } from "./hints.ts";
import type { PersistenceProvider } from "@wfe/core/providers";

/** The store's due index is the queue: to pull is to claim. */
export function sqliteQueue(persistence: PersistenceProvider, hints: Hints): QueueProvider {
  return {
    push: async (items) => {
      if (items.length > 0) hints.woken(items.map(({ run }) => run));
    },
    pull: async (request) => ({ claimed: await persistence.claim(request), candidates: [] }),
    remove: async () => undefined,
    hints: (listener) => hints.queue.add(() => listener()),
  };
}
