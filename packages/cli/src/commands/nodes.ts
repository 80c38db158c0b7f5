import type { Command } from "commander";
import { type JsonOption, withJson } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { table } from "../table.ts";
import { json } from "../terminal.ts";

interface NodeType {
  readonly type: string;
  readonly title: string;
  readonly description: string;
}

/** `wfe nodes`: the types that a step may have. */
export function addNodes(program: Command, { terminal }: Surroundings): void {
  withJson(program.command("nodes"))
    .description("list the types that a step can have")
    .action(async (options: JsonOption) => {
      const types = await nodeTypes();
      if (options.json === true) return terminal.data(`${json(types, 2)}\n`);
      const rows = types.map(({ type, title, description }) => [type, title, description]);
      terminal.data(table(["TYPE", "TITLE", "DESCRIPTION"], rows));
    });
}

/** As the schema has them, where every type is a definition of its own. */
async function nodeTypes(): Promise<readonly NodeType[]> {
  const { workflowJsonSchema } = await import("@wfe/yaml");
  const { $defs } = workflowJsonSchema() as { readonly $defs: Readonly<Record<string, Partial<NodeType>>> };
  const prefix = "step-";
  return Object.entries($defs)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, { title, description }]) => {
      const type = name.slice(prefix.length);
      return { type, title: title ?? type, description: description ?? "" };
    });
}
