import type { LogStore, NewLogLine, Run, StoredLogLine } from "@wfe/core/providers";
import { arrayOf } from "./arrays.ts";
import type { Open } from "./postgres.ts";

/** Sent by one statement, at most: a step may write more in a moment than a message holds. */
const batchLines = 1_000;
const batchLength = 4_000_000;

/** Lines of steps: a table with the newest of each workflow, numbered for each by itself. */
export function postgresLogs(opened: () => Open): LogStore {
  return {
    append: async (lines, keep) => {
      const { store } = opened();
      for (const batch of batches(newestOf(lines, keep))) {
        await store.write(store.shared, "SELECT $s.wfe_log($1::bigint[], $2::bigint[], $3::text[], $4::bigint)", [
          arrayOf(batch.map(({ run }) => run)),
          arrayOf(batch.map(({ at }) => at)),
          arrayOf(batch.map(({ lineText }) => lineText)),
          keep,
        ]);
      }
    },

    read: async (run, { after, limit }) => {
      const lines = await opened().store.readJson<StoredLogLine[]>(
        `SELECT json_agg(l ORDER BY number)::text AS json FROM (
          SELECT line AS number, at, text AS "lineText" FROM $s.wfe_logs
          WHERE run = $1::bigint AND line > $2::bigint ORDER BY line LIMIT $3::bigint
        ) l`,
        [run, after, limit],
      );
      return lines ?? [];
    },
  };
}

/** Without what would be deleted at once. */
function newestOf(lines: readonly NewLogLine[], keep: number): NewLogLine[] {
  const counts = new Map<Run, number>();
  const newest = lines.toReversed().filter(({ run }) => {
    const count = (counts.get(run) ?? 0) + 1;
    counts.set(run, count);
    return count <= keep;
  });
  return newest.toReversed();
}

function* batches(lines: readonly NewLogLine[]): Iterable<readonly NewLogLine[]> {
  let batch: NewLogLine[] = [];
  let length = 0;
  for (const line of lines) {
    if (batch.length === batchLines || (batch.length > 0 && length + line.lineText.length > batchLength)) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(line);
    length += line.lineText.length;
  }
  if (batch.length > 0) yield batch;
}
