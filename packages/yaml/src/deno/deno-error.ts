import { WfeError } from "@wfe/core";

/**
 * - `DENO_NOT_INSTALLED`: the package `deno` is not there, or has no binary for this machine.
 * - `DENO_GRANT`: a permission cannot be granted as asked; nothing was run.
 * - `DENO_MODULES`: modules could not be fetched.
 * - `DENO_SCRIPT_FAILED`: the script threw; message and stack are its own.
 * - `DENO_NO_RESULT`: the process ended without a result, by itself or by someone else's signal.
 * - `DENO_RESULT_INVALID`: what came as a result is none.
 * - `DENO_MEMORY_LIMIT`, `DENO_OUTPUT_LIMIT`: a limit was reached, and the process ended.
 */
export type DenoErrorCode =
  | "DENO_NOT_INSTALLED"
  | "DENO_GRANT"
  | "DENO_MODULES"
  | "DENO_SCRIPT_FAILED"
  | "DENO_NO_RESULT"
  | "DENO_RESULT_INVALID"
  | "DENO_MEMORY_LIMIT"
  | "DENO_OUTPUT_LIMIT";

/** A Deno step could not begin, or did not end well. `code` says which. */
export class DenoError extends WfeError {
  constructor(code: DenoErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(code, message, options);
  }
}
