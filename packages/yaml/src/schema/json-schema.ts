import type { StandardSchema } from "@wfe/core";
import * as z from "zod";
import { combinators, operators } from "../compile/conditions.ts";
import { builtInTypes } from "../step-types/built-in.ts";
import type { LoadOptions } from "../load/options.ts";
import { TypeRegistry } from "../step-types/registry.ts";
import type { StepType } from "../step-types/step-type.ts";
import { body, kinds } from "./kinds.ts";
import { workflowSchema } from "./workflow.ts";

/** A JSON Schema, as plain JSON. */
export type JsonSchema = { readonly [key: string]: unknown };

/**
 * The JSON Schema (draft 7) of workflow files, for editors: made of what the loader checks by, with a branch for every type of
 * step, the application's own included.
 */
export function workflowJsonSchema(options: LoadOptions = {}): JsonSchema {
  const types = new TypeRegistry(builtInTypes(options), options.types ?? []);
  const own = Object.entries(kinds).map(([name, schema]) => [`step-${name}`, jsonSchemaOf(schema)] as const);
  const bodies = types.all().map((type) => [`step-${type.type}`, stepSchema(type)] as const);
  const steps = [...own, ...bodies];
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "WFE workflows",
    type: "object",
    properties: {
      workflow: { $ref: "#/$defs/workflow" },
      workflows: { type: "array", minItems: 1, items: { $ref: "#/$defs/workflow" } },
      include: {
        description: "Files with more workflows, relative to this one",
        anyOf: [{ type: "string" }, { type: "array", items: { type: "string" } }],
      },
    },
    anyOf: [{ required: ["workflow"] }, { required: ["workflows"] }, { required: ["include"] }],
    $defs: {
      workflow: jsonSchemaOf(workflowSchema),
      step: stepOf(steps),
      condition,
      ...Object.fromEntries(steps),
    },
  };
}

/** What a file can name in `type:`, for people and tools. */
export interface StepTypeDescription {
  readonly type: string;
  readonly title: string;
  readonly description: string;
  /** Of a step of this type, as a whole. */
  readonly schema: JsonSchema;
}

/** All types of steps: those of the language, the built-in ones, and the application's own. `sequence` and `parallel` are told by their keys. */
export function describeStepTypes(options: LoadOptions = {}): readonly StepTypeDescription[] {
  const types = new TypeRegistry(builtInTypes(options), options.types ?? []);
  const own = Object.entries(kinds).map(([type, schema]) => {
    const made = jsonSchemaOf(schema);
    return { type, title: String(made.title), description: String(made.description), schema: made };
  });
  const bodies = types.all().map((type) => {
    const { title, description } = type;
    return { type: type.type, title, description, schema: stepSchema(type) };
  });
  return [...bodies, ...own];
}

/**
 * A step, by its `type`. Not one of many: an editor offers what fits the best of many, and an unfinished step fits none.
 */
function stepOf(steps: readonly (readonly [string, JsonSchema])[]): JsonSchema {
  const typed = steps.filter(([name]) => name !== "step-sequence" && name !== "step-parallel");
  const common = body.shape;
  const types = typed.map(([name, { title, description }]) => ({
    const: name.slice("step-".length),
    title,
    ...(description === undefined ? {} : { description }),
  }));
  const ref = (name: string): JsonSchema => ({ $ref: `#/$defs/step-${name}` });
  const { properties } = jsonSchemaOf(body) as { properties: JsonSchema };
  return {
    type: "object",
    required: ["name"],
    properties: {
      ...Object.fromEntries(Object.keys(common).map((key) => [key, key === "config" ? {} : properties[key]])),
      type: { description: "shell by default", anyOf: types },
      steps: { description: "Steps, one after the other" },
      parallel: { description: "Steps at the same time" },
    },
    allOf: typed.map(([name]) => ({
      if: { required: ["type"], properties: { type: { const: name.slice("step-".length) } } },
      then: { $ref: `#/$defs/${name}` },
    })),
    if: { required: ["type"] },
    then: {},
    else: {
      if: { required: ["parallel"] },
      then: ref("parallel"),
      else: { if: { required: ["steps"] }, then: ref("sequence"), else: ref("shell") },
    },
  };
}

const nested = { $ref: "#/$defs/condition" };
const condition: JsonSchema = {
  anyOf: [
    { type: "string", pattern: String.raw`^\s*\$\{\{` },
    { type: "boolean" },
    {
      type: "object",
      required: ["field"],
      additionalProperties: false,
      properties: {
        field: {
          type: "string",
          pattern: String.raw`^\.?(inputs|outputs)\.`,
          description: ".inputs.<name> or .outputs.<name>",
        },
        ...Object.fromEntries(operators.map((name) => [name, name.startsWith("is_") ? { type: "boolean" } : {}])),
      },
    },
    ...combinators.map((name) => ({
      type: "object",
      required: [name],
      additionalProperties: false,
      properties: { [name]: name === "not" ? nested : { type: "array", minItems: 1, items: nested } },
    })),
  ],
};

/** Of a step of a type that has a body. */
function stepSchema({ type, title, description, config, input }: StepType): JsonSchema {
  const { properties, ...rest } = jsonSchemaOf(body) as { properties: Record<string, unknown> };
  const { run, ...common } = properties;
  const isShell = type === "shell";
  const configSchema = jsonSchemaOf(config ?? input);
  // What `inputs` give need not be in `config`.
  const { required: _required, ...loose } = configSchema as { required?: unknown };
  return {
    ...rest,
    title,
    description,
    properties: {
      ...common,
      ...(isShell ? { run } : {}),
      type: { const: type, description },
      config: config === undefined || isShell ? loose : configSchema,
    },
    required: isShell ? ["name"] : ["name", "type"],
    ...(isShell ? { anyOf: [{ required: ["run"] }, { required: ["config"] }] } : {}),
  };
}

function jsonSchemaOf(schema: StandardSchema | undefined): JsonSchema {
  if (schema === undefined) return {};
  if (!(schema instanceof z.ZodType)) return foreignSchema(schema);
  const { $schema: _version, ...made } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    override({ zodSchema, jsonSchema }) {
      const given = jsonSchema as Record<string, unknown>;
      const { json, expected: _expected } = given;
      delete given.expected;
      delete given.json;
      if (typeof json === "object" && json !== null) {
        const { description } = given;
        for (const key of Object.keys(given)) delete given[key];
        Object.assign(given, json, description === undefined ? {} : { description });
      }
      const { type } = zodSchema._zod.def;
      if (type === "number" || type === "boolean" || type === "enum") allowPlaceholder(given);
    },
  }) as Record<string, unknown>;
  return made;
}

/** Anything fixed may be a variable: `version: ${{ var.version }}`. */
function allowPlaceholder(schema: Record<string, unknown>): void {
  const { description, ...itself } = schema;
  for (const key of Object.keys(schema)) delete schema[key];
  if (description !== undefined) schema.description = description;
  schema.anyOf = [itself, { type: "string", pattern: String.raw`^\s*\$\{\{` }];
}

/** Standard Schema's companion for JSON Schema, of libraries that have it. */
function foreignSchema(schema: StandardSchema): JsonSchema {
  const standard = schema["~standard"] as { jsonSchema?: { input?: (options: { target: string }) => unknown } };
  try {
    const made = standard.jsonSchema?.input?.({ target: "draft-07" });
    return typeof made === "object" && made !== null ? (made as JsonSchema) : {};
  } catch {
    // A schema that has no form in JSON Schema still checks; an editor then knows nothing about it.
    return {};
  }
}
