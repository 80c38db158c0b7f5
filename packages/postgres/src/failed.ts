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

/** Whether the server has answered, though with an error, so that the connection is as it was. */
export function isTold(error: unknown): boolean {
  const cause = causeOf(error);
  if (!(cause instanceof Error) || !("severity" in cause) || !("code" in cause)) return false;
  // The address may be another server's by now, which takes writes: a new connection finds out.
  return cause.severity === "ERROR" && cause.code !== "25006";
}
