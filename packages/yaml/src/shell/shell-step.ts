import { resolve } from "node:path";
import { parseDuration } from "@wfe/core";
import * as z from "zod";
import { duration, scalar, text } from "../schema/values.ts";
import type { StepCall, StepOutcome, StepType } from "../step-types/step-type.ts";
import { environmentText, shellEnvironment } from "./environment.ts";
import { hoistValues } from "./hoist-values.ts";
import { runShell } from "./run-shell.ts";
import { ShellFailedError } from "./shell-failed-error.ts";

/** Where a step names no time-out of its own. Long, for builds; but no step runs for ever unseen. */
const defaultTimeout = "6h";

const config = z.strictObject({
  run: text.describe("The commands. `${{ }}` in them arrives as text, never as program"),
  shell: text.optional().describe("The shell, with its options: `bash -eo pipefail`. Default `sh`"),
  env: z
    .record(z.string(), scalar)
    .meta({ expected: "names with values" })
    .optional()
    .describe("More variables for the commands"),
  timeout: duration.optional().describe("After it all that was started is ended. Default 6h"),
  working_dir: text.optional().describe("Where the commands run, relative to the file. Default: the file's folder"),
});

/** `type: shell`, the default: runs commands in a shell, in a process group of its own. */
export const shellStep: StepType<z.infer<typeof config>> = {
  type: "shell",
  title: "Shell",
  description: "Runs commands in a shell. Their output, exit code and outputs become data.",
  config,
  programs: ["run"],
  check: ({ run, shell }) => hoistValues(run, words(shell)).problems,
  async run(options, call) {
    const shell = words(options.shell);
    const { program } = hoistValues(options.run, shell);
    const values: Record<string, string> = {};
    for (const [name, expression] of Object.entries(program.variables)) {
      values[name] = environmentText(await call.evaluate(expression)) ?? "";
    }
    const folder = resolve(call.folder, options.working_dir ?? ".");
    const result = await runShell({
      run: program.run,
      shell,
      workingDir: folder,
      env: shellEnvironment({
        base: process.env,
        data: { ...call.data, ...call.inputs },
        matrix: call.matrix,
        item: call.item,
        env: options.env,
        own: values,
      }),
      timeoutMs: parseDuration(options.timeout ?? defaultTimeout, "timeout"),
      signal: call.ctx.signal,
      write: (stream, line) => call.ctx.write(stream, line),
    });
    if (result.exitCode !== 0) throw new ShellFailedError(result);
    return outcome(call, folder, result);
  },
};

function outcome(call: StepCall, folder: string, result: Awaited<ReturnType<typeof runShell>>): StepOutcome {
  return {
    outputs: result.outputs,
    data: {
      [`${call.step}.stdout`]: result.stdout,
      [`${call.step}.stderr`]: result.stderr,
      [`${call.step}.exit_code`]: result.exitCode,
    },
    text: result.text,
    folder,
  };
}

function words(shell: string | undefined): readonly string[] {
  const list = (shell ?? "sh").trim().split(/\s+/);
  return list[0] === "" ? ["sh"] : list;
}
