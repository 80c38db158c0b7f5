import type { Problem, ProblemFormat } from "@wfe/yaml";
import { type Command, Option } from "commander";
import { existsSync } from "node:fs";
import { exitCodes, NotFoundError } from "../exit-codes.ts";
import { variable } from "../options.ts";
import type { Surroundings } from "../program.ts";

interface ValidateOptions {
  readonly var?: Readonly<Record<string, unknown>>;
  readonly format?: ProblemFormat;
}

const formats: readonly ProblemFormat[] = ["pretty", "json", "sarif", "github"];

/** `wfe validate`: all problems of all files at once. */
export function addValidate(program: Command, { terminal, endWith }: Surroundings): void {
  program
    .command("validate")
    .description("check workflow files; all problems at once")
    .argument("<files...>", "YAML")
    .option("--var <name=value>", "a variable (may be given several times)", variable)
    .addOption(
      new Option("--format <format>", "how problems are written (default: pretty; github in its Actions)").choices(
        formats,
      ),
    )
    .action(async (files: readonly string[], options: ValidateOptions) => {
      const { formatProblems, validateFile } = await import("@wfe/yaml");
      const problems: Problem[] = [];
      for (const file of files) {
        if (!existsSync(file)) throw new NotFoundError(`there is no file ${file}`);
        problems.push(...(await validateFile(file, options.var ?? {})));
      }
      const format = options.format ?? (terminal.isGitHub ? "github" : "pretty");
      // Reports are what is asked for; GitHub reads its commands from either.
      terminal.data(formatProblems(problems, format));
      if (problems.length > 0) endWith(exitCodes.invalidDefinition);
      const count = `${files.length} ${files.length === 1 ? "file" : "files"}`;
      if (problems.length === 0) terminal.say(`${count}, no problems`);
      else terminal.say(`${count}, ${problems.length} ${problems.length === 1 ? "problem" : "problems"}`);
    });
}
