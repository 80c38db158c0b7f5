import type { LogStore, StoredLogLine } from "@wfe/core/providers";
import type { OpenStore } from "./sqlite.ts";

/** Lines of steps: one table in the order of writing, with the newest of each workflow. */
export function sqliteLogs(opened: () => OpenStore): LogStore {
  return {
    append: async (lines, keep) => {
      if (lines.length === 0) return;
      await opened().transactions.write((session) => {
        for (const { run, at, lineText } of lines)
          session.run(
            "INSERT INTO wfe_logs (run, at, text) SELECT run, ?, ? FROM wfe_workflows WHERE run = ?",
            at,
            lineText,
            run,
          );
        for (const run of new Set(lines.map((line) => line.run)))
          session.run(
            `DELETE FROM wfe_logs WHERE run = ? AND line <= (
               SELECT line FROM wfe_logs WHERE run = ? ORDER BY line DESC LIMIT 1 OFFSET ?)`,
            run,
            run,
            keep,
          );
      });
    },
    read: async (run, { after, limit }) =>
      opened().transactions.read((session) =>
        session.all<StoredLogLine>(
          "SELECT line AS number, at, text AS lineText FROM wfe_logs WHERE run = ? AND line > ? ORDER BY line LIMIT ?",
          run,
          after,
          limit,
        ),
      ),
  };
}
