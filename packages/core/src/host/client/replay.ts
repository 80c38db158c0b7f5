import type { WorkflowDefinition } from "../../definition/definition.ts";
import { replayTurns } from "../../engine/replay.ts";
import { InvalidOptionError } from "../../errors.ts";
import { readWorkflowFile } from "./transfer.ts";

/** The text of an exported workflow: `host.exportWorkflow(id)`. */
export type HistoryFile = string;

/** A place where a definition would go another way than a workflow went. */
export interface ReplayFinding {
  /** The turn of the history. */
  readonly seq: number;
  /** When it was stored. */
  readonly at: number;
  /** The step after whose end, failure or beginning the ways part; undefined: the start of the workflow. */
  readonly stepId: string | undefined;
  /** In words: what came of it then, and what would now. Where only a value differs: its path, and both values, shortened. */
  readonly reason: string;
}

/**
 * Where a definition, such as a changed one that is not deployed yet, would go another way than a workflow went: decided anew from
 * what its steps gave then. No step runs, nothing is stored, and no host is needed; the definition's own functions are called.
 *
 * What only follows from a difference is not told again. A history has the times of commits, not of decisions: WFE's own times, and
 * what a definition's functions make of `at.now`, are compared to within two seconds, and all other data exactly. What people did
 * (retries, migrations) is taken as it is. Throws where the file cannot be read, or is of another definition.
 */
export function replay(history: HistoryFile, definition: WorkflowDefinition): readonly ReplayFinding[] {
  const { header, turns } = readWorkflowFile(history);
  if (typeof definition !== "object" || definition === null || definition.index === undefined)
    throw new InvalidOptionError("`replay` takes a workflow definition, as `.build(id, version)` gives it");
  if (header.definitionId !== definition.id)
    throw new InvalidOptionError(
      `the history is of definition \`${header.definitionId}\`, not of \`${definition.id}\``,
    );
  return replayTurns(definition, turns).map(({ seq, at, stepId, reason }) => ({ seq, at, stepId, reason }));
}
