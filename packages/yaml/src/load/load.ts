import { readFile, stat } from "node:fs/promises";
import { InvalidOptionError, type WorkflowDefinition } from "@wfe/core";
import { compileWorkflow, fillWorkflow, type CompiledWorkflow, type WorkflowToCompile } from "../compile/workflow.ts";
import { memoryCache } from "../running/step-cache.ts";
import type { Variables } from "../source/fill-variables.ts";
import { InvalidWorkflowFileError } from "../source/invalid-workflow-file-error.ts";
import { childOf, type Located } from "../source/located.ts";
import { Problems, type Problem } from "../source/problem.ts";
import { short } from "../source/read.ts";
import { Source } from "../source/source.ts";
import { builtInTypes } from "../step-types/built-in.ts";
import { TypeRegistry } from "../step-types/registry.ts";
import { collectWorkflows } from "./include.ts";
import type { LoadOptions, ParseOptions } from "./options.ts";

interface Loaded {
  readonly problems: readonly Problem[];
  readonly definitions: readonly WorkflowDefinition[];
  readonly preparing: readonly (() => Promise<void>)[];
}

function load(source: Source, variables: Variables, options: LoadOptions): Loaded {
  checkVariables(variables);
  const problems = new Problems();
  const types = new TypeRegistry(builtInTypes(options), options.types ?? []);
  const runner = { secrets: options.secrets ?? {}, cache: options.cache ?? memoryCache(), now: () => Date.now() };
  const workflows = collectWorkflows(source, problems).map(({ workflow, folder }) =>
    fillWorkflow(workflow, folder, variables, problems),
  );
  checkIds(workflows, problems);
  const siblings = siblingsOf(workflows);
  const compiled: CompiledWorkflow[] = workflows.map((workflow) =>
    compileWorkflow(workflow, { variables, types, runner, problems, siblings }),
  );
  for (const [index, { definition }] of compiled.entries()) {
    const from = workflows[index]?.raw.source.file;
    if (definition !== undefined && from !== undefined) files.set(definition, from);
  }
  return {
    problems: problems.list(),
    definitions: compiled.flatMap(({ definition }) => (definition === undefined ? [] : [definition])),
    preparing: compiled.flatMap(({ preparing }) => preparing),
  };
}

const files = new WeakMap<WorkflowDefinition, string>();

/**
 * The file in which a workflow that was loaded stands, as it was named or found: another one than was asked for where `include`
 * led to it. Undefined for a definition that comes from no file.
 */
export function fileOfWorkflow(definition: WorkflowDefinition): string | undefined {
  return files.get(definition);
}

function checkVariables(variables: unknown): void {
  if (typeof variables === "object" && variables !== null && !Array.isArray(variables)) return;
  throw new InvalidOptionError('the configuration must be an object of variables, such as `{ env: "production" }`');
}

function checkIds(workflows: readonly WorkflowToCompile[], problems: Problems): void {
  const seen = new Map<string, Located>();
  for (const { filled } of workflows) {
    const id = childOf(filled, "id");
    const version = childOf(filled, "version");
    if (id?.kind !== "scalar") continue;
    const key = `${String(id.value)}\0${version?.kind === "scalar" ? String(version.value) : ""}`;
    const first = seen.get(key);
    if (first === undefined) seen.set(key, id);
    else {
      const { line } = first.source.positionOf(first.start);
      problems.add(
        "duplicate-name",
        id,
        `the workflow \`${short(String(id.value))}\` of this version is there already, in ${first.source.file}:${line}`,
        "raise the version, or choose another id",
      );
    }
  }
}

function siblingsOf(workflows: readonly WorkflowToCompile[]): Map<string, readonly string[] | undefined> {
  return new Map(
    workflows.flatMap(({ filled }) => {
      const id = childOf(filled, "id");
      const outputs = childOf(filled, "outputs");
      if (id?.kind !== "scalar") return [];
      return [[String(id.value), outputs?.kind === "map" ? [...outputs.entries.keys()] : undefined] as const];
    }),
  );
}

/**
 * Loads the workflow of a file. `config` is what `${{ var.x }}` is filled in from.
 *
 * Throws `InvalidWorkflowFileError` with all problems of the file and of those it includes; the store and the host are not
 * involved. A file with several workflows is for {@link loadWorkflows}.
 */
export async function loadWorkflow(
  file: string,
  config: Variables = {},
  options: LoadOptions = {},
): Promise<WorkflowDefinition> {
  return only(file, await loadWorkflows(file, config, options));
}

/** Loads all workflows of a file, in its order, those of included files where they are included. */
export async function loadWorkflows(
  file: string,
  config: Variables = {},
  options: LoadOptions = {},
): Promise<readonly WorkflowDefinition[]> {
  const loaded = accepted(file, load(await sourceOf(file), config, options));
  for (const prepare of loaded.preparing) await prepare();
  return loaded.definitions;
}

/** Loads the workflow of a text; see {@link loadWorkflow}. What steps need to fetch is fetched before their first attempt. */
export function parseWorkflow(text: string, config: Variables = {}, options: ParseOptions = {}): WorkflowDefinition {
  return only(nameOf(options), parseWorkflows(text, config, options));
}

/** Loads all workflows of a text; see {@link loadWorkflows}. */
export function parseWorkflows(
  text: string,
  config: Variables = {},
  options: ParseOptions = {},
): readonly WorkflowDefinition[] {
  return accepted(nameOf(options), load(textSource(text, options), config, options)).definitions;
}

/** Everything that is wrong with a file and those it includes; empty when it can be loaded. Throws where it cannot be read. */
export async function validateFile(
  file: string,
  config: Variables = {},
  options: LoadOptions = {},
): Promise<readonly Problem[]> {
  return load(await sourceOf(file), config, options).problems;
}

/** The same for a text. */
export function validateText(text: string, config: Variables = {}, options: ParseOptions = {}): readonly Problem[] {
  return load(textSource(text, options), config, options).problems;
}

function nameOf({ file = "workflow.yaml" }: ParseOptions): string {
  return file;
}

function textSource(text: unknown, options: ParseOptions): Source {
  if (typeof text === "string") return new Source(nameOf(options), text);
  throw new InvalidOptionError(`a workflow's text must be text, got ${typeof text}`);
}

/** More bytes than any file within the limits has. */
const mostBytes = 8 * 1024 * 1024;

async function sourceOf(file: string): Promise<Source> {
  try {
    const { size } = await stat(file);
    if (size > mostBytes) throw new InvalidOptionError(`${file} has ${size} bytes: that is no workflow file`);
    return new Source(file, await readFile(file, "utf8"));
  } catch (error) {
    if (error instanceof InvalidOptionError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : message;
    throw new InvalidOptionError(`${file} cannot be read: ${why}`, { cause: error });
  }
}

function accepted(file: string, loaded: Loaded): Loaded {
  if (loaded.problems.length > 0) throw new InvalidWorkflowFileError(file, loaded.problems);
  return loaded;
}

function only(file: string, definitions: readonly WorkflowDefinition[]): WorkflowDefinition {
  const [definition] = definitions;
  if (definition !== undefined && definitions.length === 1) return definition;
  throw new InvalidOptionError(
    `${file} has ${definitions.length} workflows: load them with \`loadWorkflows\` or \`parseWorkflows\`, which give a list`,
  );
}
