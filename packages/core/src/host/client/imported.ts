import type { StoredTurn, WorkflowRow } from "../../providers/records.ts";
import { decodeStartRecord } from "../core/start-record.ts";

/** Says when a turn of a workflow was stored: of an imported one, where it was stored first. */
export type TurnTime = (turn: Pick<StoredTurn, "seq" | "at">) => number;

export function turnTimes({ startText }: Pick<WorkflowRow, "startText">): TurnTime {
  // Of most workflows this is all that it costs.
  if (!startText.includes('"importedTimes"')) return ({ at }) => at;
  const times = decodeStartRecord(startText).importedTimes ?? [];
  return ({ seq, at }) => times[seq] ?? at;
}
