import * as z from "zod";
import { scalar, word } from "../schema/values.ts";
import type { StepType } from "./step-type.ts";

const config = z.strictObject({
  message: scalar.describe("May hold `${{ }}`"),
  level: word(["debug", "info", "warn", "error"]).optional().describe("info by default"),
  stream: z.string().optional().describe("What listeners hear it as; stdout by default"),
});

/** `type: log`: tells listeners and the host's log something. */
export const log: StepType<z.infer<typeof config>> = {
  type: "log",
  title: "Log",
  description: "Writes a line to the step's output and to the host's log.",
  config,
  run({ message, level = "info", stream = "stdout" }, { ctx }) {
    const text = String(message);
    ctx.log[level](text);
    ctx.write(stream, `${text}\n`);
    return {};
  },
};
