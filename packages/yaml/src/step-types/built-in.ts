import type { LoadOptions } from "../load/options.ts";
import { denoStep } from "../deno/deno-step.ts";
import { httpType } from "../http/http-type.ts";
import { shellStep } from "../shell/shell-step.ts";
import { log } from "./log.ts";
import type { StepType } from "./step-type.ts";
import { transform } from "./transform.ts";

/** The types that every file can name. */
export function builtInTypes(options: LoadOptions): readonly StepType[] {
  return [shellStep, denoStep(options.deno), transform, httpType(options.http), log];
}
