import type { PersistenceProvider } from "../../providers/persistence-provider.ts";
import type { Clock } from "../../runtime/runtime.ts";

/**
 * Engine time: the store's time when it was last read, plus monotonic time since. So a host's wrong or jumping wall clock fires
 * nothing early. Before the first reading it is the machine's.
 */
export function engineTime(
  clock: Clock,
  persistence: Pick<PersistenceProvider, "now">,
): { readonly engineNow: () => number; readonly syncEngineTime: () => Promise<void> } {
  let storeAt = clock.now();
  let readAt = clock.monotonic();
  return {
    engineNow: () => Math.floor(storeAt + (clock.monotonic() - readAt)),
    async syncEngineTime() {
      const now = await persistence.now();
      // Counted from the answer it is a little behind the store, which is the safe side: nothing fires before the store says so.
      storeAt = now;
      readAt = clock.monotonic();
    },
  };
}
