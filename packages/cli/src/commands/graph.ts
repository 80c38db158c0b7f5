import type { Command } from "commander";
import { chooseDefinition, definitionsOf } from "../definitions.ts";
import { type JsonOption, variable, withJson } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { json } from "../terminal.ts";

interface GraphOptions extends JsonOption {
  readonly workflow?: string;
  readonly var?: Readonly<Record<string, unknown>>;
}

/** `wfe graph`: a workflow as a Mermaid flowchart. */
export function addGraph(program: Command, { terminal }: Surroundings): void {
  withJson(program.command("graph").argument("<file>", "YAML, or a module that exports workflows"))
    .description("draw a workflow as a Mermaid flowchart")
    .option("--workflow <id>", "which one of the file (default: the first that stands in it)")
    .option("--var <name=value>", "a variable (may be given several times)", variable)
    .action(async (file: string, options: GraphOptions) => {
      const definition = chooseDefinition(await definitionsOf(file, options.var ?? {}), options.workflow);
      if (options.json === true) terminal.data(`${json(definition.toJSON(), 2)}\n`);
      else terminal.data(`${definition.toMermaid().trimEnd()}\n`);
    });
}
