import type { HttpOptions } from "../http/http-type.ts";
import type { DenoHostOptions } from "../deno/deno-options.ts";
import type { SecretSource } from "../running/secrets.ts";
import type { StepCache } from "../running/step-cache.ts";
import type { StepType } from "../step-types/step-type.ts";

/** Options of loading workflow files. */
export interface LoadOptions {
  /** What steps of type `deno` may be granted, and their limits. */
  readonly deno?: DenoHostOptions;
  /** Types of steps of the application. One with the name of a built-in type replaces it. */
  readonly types?: readonly StepType[];
  /** Where `${{ secret.NAME }}` comes from when a step runs. Default: there are none. */
  readonly secrets?: SecretSource;
  /** Where results of steps with `cache` are kept. Default: in this process, for what this call loads. */
  readonly cache?: StepCache;
  /** What `http` steps may reach. */
  readonly http?: HttpOptions;
}

/** Options of loading a text. */
export interface ParseOptions extends LoadOptions {
  /** What the text is called in errors, and where relative paths start from. Default `workflow.yaml`, in the process's folder. */
  readonly file?: string;
}
