import * as z from "zod";
import { anything } from "../schema/values.ts";
import type { StepType } from "./step-type.ts";

const config = z.strictObject({
  set: z
    .record(z.string(), anything)
    .meta({ expected: "names with values" })
    .describe("The outputs: values with `${{ }}`, as deep as they are"),
});

/** `type: transform`: computes outputs from the data, without a process. */
export const transform: StepType<z.infer<typeof config>> = {
  type: "transform",
  title: "Transform",
  description: "Sets outputs to values computed by `${{ }}`; no process is started.",
  config,
  run: ({ set }) => ({ outputs: set }),
};
