import type { StepLog } from "../../definition/step-context.ts";

/**
 * The application's logger, from which nothing comes back: one that throws, or whose promise rejects, is as good as none. A host
 * writes to its log where something else has just gone wrong, and a broken transport is not to end what goes on with that.
 */
export function guardedLog(log: StepLog): StepLog {
  const write =
    (level: keyof StepLog): StepLog["info"] =>
    (message, fields) => {
      try {
        // A logger may be asynchronous, whatever its type says.
        const written: unknown = fields === undefined ? log[level](message) : log[level](message, fields);
        if (isPromise(written)) written.then(undefined, ignore);
      } catch {
        // There is no other place to tell it.
      }
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as Partial<PromiseLike<unknown>>).then === "function"
  );
}

function ignore(): void {}
