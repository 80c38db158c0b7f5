import type { StepLog } from "@wfe/core";

/** What a host would write to the console has no place between our lines; what matters is told by errors and events. */
export const quietLog: StepLog = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
