import type { StepLog } from "../../definition/step-context.ts";

type Write = (fields: object, message: string) => void;

/** A logger such as pino or bunyan: what is logged comes first, the message second. */
export interface FieldsFirstLogger {
  readonly debug: Write;
  readonly info: Write;
  readonly warn: Write;
  readonly error: Write;
  readonly child: (bindings: Record<string, unknown>) => FieldsFirstLogger;
}

/** Whether a logger takes its fields first, as pino (which has `bindings`) and bunyan (which has `fields`) do. */
export function isFieldsFirst(log: object): log is FieldsFirstLogger {
  const { child, bindings, fields } = log as Partial<Record<string, unknown>>;
  return typeof child === "function" && (typeof bindings === "function" || typeof fields === "object");
}

/** Errors go where such loggers look for them. */
export function fieldsFirst(logger: FieldsFirstLogger): StepLog {
  const write =
    (level: "debug" | "info" | "warn" | "error"): StepLog["info"] =>
    (message, fields = {}) => {
      const { error, ...rest } = fields;
      // Given on, since some are asynchronous, and then whoever calls has to take the rejection.
      return logger[level](error === undefined ? rest : { ...rest, err: error }, message);
    };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
