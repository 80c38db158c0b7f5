import { statSync } from "node:fs";
import { extname, resolve } from "node:path";
import type { WorkflowDefinition } from "@wfe/core";
import { InvalidFileError, NotFoundError } from "./exit-codes.ts";
import { loadModule } from "./load-module.ts";

/** The definitions of a file: YAML, or a module that exports some. */
export async function definitionsOf(
  file: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<readonly WorkflowDefinition[]> {
  const path = resolve(file);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new NotFoundError(`there is no file ${file}`);
  if (found.isDirectory()) throw new InvalidFileError(`${file} is a folder: name a file in it`);
  const isYaml = [".yaml", ".yml"].includes(extname(path));
  if (isYaml) {
    const { fileCache, fileOfWorkflow, loadWorkflows } = await import("@wfe/yaml");
    const loaded = await loadWorkflows(path, variables, {
      secrets: (name) => process.env[name],
      cache: fileCache(resolve(".wfe", "cache")),
    });
    for (const definition of loaded) if (fileOfWorkflow(definition) !== path) included.add(definition);
    return loaded;
  }
  const definitions = Object.values(await loadModule(path, file))
    .flat()
    .filter(isDefinition);
  if (definitions.length === 0) {
    throw new NotFoundError(`${file} exports no workflow: export what \`build(...)\` gives`);
  }
  return [...new Set(definitions)];
}

function isDefinition(value: unknown): value is WorkflowDefinition {
  return typeof value === "object" && value !== null && "toMermaid" in value && "hash" in value && "body" in value;
}

/** Those of other files than the one that was named. */
const included = new WeakSet<WorkflowDefinition>();

/** The one that is meant: by its id, or the first of the file itself, whatever it includes before. */
export function chooseDefinition(
  definitions: readonly WorkflowDefinition[],
  id: string | undefined,
): WorkflowDefinition {
  const found =
    id === undefined
      ? (definitions.find((definition) => !included.has(definition)) ?? definitions[0])
      : definitions.findLast((definition) => definition.id === id);
  if (found !== undefined) return found;
  const there = definitions.map((definition) => `\`${definition.id}\``).join(", ");
  throw new NotFoundError(`there is no workflow \`${id}\` in the file; it has ${there === "" ? "none" : there}`);
}
