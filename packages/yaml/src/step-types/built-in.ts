import type { LoadOptions } from "../load/options.ts";
import { log } from "./log.ts";
import type { StepType } from "./step-type.ts";
import { transform } from "./transform.ts";

/** The types that every file can name. */
export function builtInTypes(_options: LoadOptions): readonly StepType[] {
  return [transform, log];
}
