import type { Stage } from "./errors.ts";

/** A statement that failed, with what the driver said, and how far it had got. Never leaves this package. */
export class Failed extends Error {
  readonly stage: Stage;

  constructor(cause: unknown, stage: Stage) {
    super("a statement failed", { cause });
    this.stage = stage;
  }
}

/** What the driver said. */
export function causeOf(error: unknown): unknown {
  return error instanceof Failed ? error.cause : error;
}

/** Whether the connection that this came up on is of no use any more. What did not come from the server leaves it as it was. */
export function isBroken(error: unknown): boolean {
  if (!(error instanceof Failed)) return false;
  const { cause } = error;
  if (!(cause instanceof Error) || !("severity" in cause) || !("code" in cause)) return true;
  // The address may be another server's by now, which takes writes: a new connection finds out.
  return cause.severity !== "ERROR" || cause.code === "25006";
}
