import * as z from "zod";
import { errorBehavior } from "./modifiers.ts";
import { count, step, steps, text } from "./values.ts";

const types = z
  .record(z.string(), z.string())
  .meta({ expected: "names with types" })
  .describe("Types are string, number, integer, bool, any, list<T> and map<T>; with `?` a value may be missing");

/** One workflow of a file. */
export const workflowSchema = z.strictObject({
  id: text.min(1).describe("What the workflow is started by"),
  version: count.describe("Raise it when the steps change"),
  name: text.optional().describe("For people"),
  description: text.optional(),
  inputs: types.optional(),
  outputs: types.optional(),
  error_behavior: errorBehavior.optional().describe("What follows a failure of a step that does not say so itself"),
  on_failure: step.optional().describe("A step that runs when the workflow has failed"),
  ensure: step.optional().describe("A step that always runs, last"),
  services: z.unknown().optional(),
  triggers: z.unknown().optional(),
  steps,
});
