import { WfeError } from "@wfe/core";
import { formatPretty } from "./formats.ts";
import type { Problem } from "./problem.ts";

/** A workflow file cannot be loaded. `problems` has everything that is wrong with it and the files it includes. */
export class InvalidWorkflowFileError extends WfeError {
  readonly problems: readonly Problem[];
  constructor(file: string, problems: readonly Problem[]) {
    const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
    super("INVALID_WORKFLOW_FILE", `${file} cannot be loaded: ${count}\n\n${formatPretty(problems)}`);
    this.problems = problems;
  }
}
