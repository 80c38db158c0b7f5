import type { Run, RowWrite } from "@wfe/core/providers";
import { finalStatuses, recordFormat } from "@wfe/core/providers";
import { definitionOf, numberOf } from "./definitions.ts";
import type { Session } from "./session.ts";

interface Current {
  readonly claim: number;
  readonly ended: number;
  readonly completedAt: number | null;
  readonly definition: number;
}

/** Whether the row was written: false where the claim is lost. `dueAt` is the due time that it has now. */
export type RowWritten = { readonly written: false } | { readonly written: true; readonly dueAt: number | null };

/**
 * Writes what a row becomes, where the claim is still the writer's. `signals` are the row's. `behind`: events that came before a
 * subscription are there to be read. Were the workflow let go asleep, only its host would know, and might die before it acts.
 */
export function writeRow(
  session: Session,
  run: Run,
  claim: number,
  row: RowWrite,
  { signals, behind }: { readonly signals: number; readonly behind: boolean },
): RowWritten {
  const find = "SELECT claim, ended, completed_at AS completedAt, definition FROM wfe_workflows WHERE run = ?";
  const current = session.get<Current>(find, run);
  if (current === undefined || current.claim !== claim) return { written: false };

  const now = session.now();
  const ended = finalStatuses.includes(row.status) ? 1 : 0;
  const dueAt = row.release && (behind || signals > row.notedSignals) ? now : row.dueAt;
  const waitingFor = row.waitingFor.length === 0 ? null : JSON.stringify(row.waitingFor);
  const release = row.release ? 1 : 0;
  const { id, version, hash, format } = definitionOf(session, current.definition);
  const sameDefinition = version === row.version && hash === row.definitionHash && format === recordFormat;
  const stillLive = ended === 0 && current.ended === 0 && current.completedAt === row.completedAt;
  if (sameDefinition && stillLive) {
    // Does not name what the indexes for lists hold: naming it alone would rewrite their entries.
    session.run(
      `UPDATE wfe_workflows SET status = ?, due_at = ?, owner = CASE WHEN ? THEN NULL ELSE owner END, updated_at = ?,
         waiting_for = ? WHERE run = ?`,
      row.status,
      dueAt,
      release,
      now,
      waitingFor,
      run,
    );
  } else {
    const next = { id, version: row.version, hash: row.definitionHash, format: recordFormat };
    const definition = sameDefinition ? current.definition : numberOf(session, next);
    session.run(
      `UPDATE wfe_workflows SET status = ?, due_at = ?, owner = CASE WHEN ? THEN NULL ELSE owner END, updated_at = ?,
         waiting_for = ?, ended = ?, completed_at = ?, definition = ? WHERE run = ?`,
      row.status,
      dueAt,
      release,
      now,
      waitingFor,
      ended,
      row.completedAt,
      definition,
      run,
    );
  }
  writeEnd(session, run, row);
  if (row.release && dueAt !== null && dueAt <= now) session.woken.add(run);
  else if (row.release && (dueAt !== null || ended === 1)) session.changed = true;
  return { written: true, dueAt };
}

function writeEnd(session: Session, run: Run, { resultText, errorText }: RowWrite): void {
  if (resultText === null && errorText === null) session.run("DELETE FROM wfe_ends WHERE run = ?", run);
  else session.run("INSERT OR REPLACE INTO wfe_ends (run, result, error) VALUES (?, ?, ?)", run, resultText, errorText);
}
