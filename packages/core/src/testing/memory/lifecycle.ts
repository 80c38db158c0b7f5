import type { LifecycleEvent, LifecyclePublisher } from "../../providers/index.ts";
import { Hints } from "./hints.ts";

/** Hands events straight to the listeners of this process, a moment later, in order. */
export function memoryLifecycle(): LifecyclePublisher {
  let pending: LifecycleEvent[] = [];
  const dispatch = new Hints<readonly LifecycleEvent[]>(() => {
    const events = pending;
    pending = [];
    return events;
  });
  return {
    publish: (events) => {
      if (!dispatch.hasListeners || events.length === 0) return;
      pending.push(...events);
      dispatch.schedule();
    },
    subscribe: (listener) => dispatch.listen(listener),
    get hasListeners() {
      return dispatch.hasListeners;
    },
  };
}
