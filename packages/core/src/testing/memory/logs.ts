import type { LogStore, Run, StoredLogLine } from "../../providers/index.ts";
import type { Store } from "./store.ts";

/** Lines of steps, by workflow. */
export function memoryLogs(opened: () => Store): LogStore {
  return {
    append: async (lines, keep) => {
      const store = opened();
      const touched = new Set<Run>();
      for (const { run, at, lineText } of lines) {
        const instance = store.instances.get(run);
        if (instance === undefined) continue;
        instance.logged += 1;
        instance.logs.push(Object.freeze({ number: instance.logged, at, lineText }));
        touched.add(run);
      }
      for (const run of touched) {
        const logs = store.instances.get(run)?.logs ?? [];
        logs.splice(0, Math.max(0, logs.length - keep));
      }
    },
    read: async (run, { after, limit }) => {
      const logs: readonly StoredLogLine[] = opened().instances.get(run)?.logs ?? [];
      return logs.filter(({ number }) => number > after).slice(0, limit);
    },
  };
}
