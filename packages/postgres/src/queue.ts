import type { PersistenceProvider, QueueProvider } from "@wfe/core/providers";
import type { Hints } from "./hints.ts";

/** The store's due index is the queue: to pull is to claim. */
export function postgresQueue(persistence: PersistenceProvider, hints: Hints): QueueProvider {
  return {
    push: async (items) => {
      if (items.length > 0)
        hints.committed(
          items.map(({ run }) => run),
          false,
        );
    },
    pull: async (request) => ({ claimed: await persistence.claim(request), candidates: [] }),
    remove: async () => undefined,
    hints: (listener) => hints.queue.add(() => listener()),
  };
}
