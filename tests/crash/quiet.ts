import type { StepLog } from "@wfe/core";

/** A log for hosts in tests: errors go to standard error, and the rest nowhere. */
export function quiet(): StepLog {
  const nothing = (): void => {};
  return {
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: (message, fields) => console.error(message, fields),
  };
}
