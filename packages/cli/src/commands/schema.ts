import type { Command } from "commander";
import type { Surroundings } from "../program.ts";
import { json } from "../terminal.ts";

/** `wfe schema`: what editors complete workflow files by. */
export function addSchema(program: Command, { terminal }: Surroundings): void {
  program
    .command("schema")
    .description("print the JSON Schema of workflow files, for editors")
    .action(async () => {
      const { workflowJsonSchema } = await import("@wfe/yaml");
      terminal.data(`${json(workflowJsonSchema(), 2)}\n`);
    });
}
