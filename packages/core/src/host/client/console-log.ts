import type { StepLog } from "../../definition/step-context.ts";

/** Writes to the console, and leaves `debug` out. */
export const consoleLog: StepLog = {
  debug: () => {},
  info: (message, fields) => write("info", message, fields),
  warn: (message, fields) => write("warn", message, fields),
  error: (message, fields) => write("error", message, fields),
};

function write(level: "info" | "warn" | "error", message: string, fields: Record<string, unknown> | undefined): void {
  if (fields === undefined) console[level](message);
  else console[level](message, fields);
}
