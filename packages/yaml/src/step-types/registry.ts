import { InvalidOptionError } from "@wfe/core";
import { kinds } from "../schema/kinds.ts";
import type { StepType } from "./step-type.ts";

/** The types that files of one load can name: the built-in ones, and the application's, which may replace them. */
export class TypeRegistry {
  readonly #types = new Map<string, StepType>();

  constructor(builtIn: readonly StepType[], own: readonly StepType[]) {
    for (const type of builtIn) this.#types.set(type.type, type);
    for (const type of own) {
      check(type);
      this.#types.set(type.type, type);
    }
  }

  get(name: string): StepType | undefined {
    return this.#types.get(name);
  }

  names(): readonly string[] {
    return [...this.#types.keys()];
  }

  all(): readonly StepType[] {
    return [...this.#types.values()];
  }
}

function check(type: StepType): void {
  const { type: name } = type;
  if (typeof name !== "string" || !/^[A-Za-z][\w.-]*$/.test(name)) {
    throw new InvalidOptionError(
      `a step type's \`type\` must be letters, digits, "-", "_" and ".", got ${JSON.stringify(name)}`,
    );
  }
  if (name in kinds)
    throw new InvalidOptionError(`the step type \`${name}\` cannot be registered: it is a word of the language`);
  for (const field of ["title", "description"] as const) {
    if (typeof type[field] !== "string")
      throw new InvalidOptionError(`the step type \`${name}\` needs a \`${field}\`: people choose by it`);
  }
  if (typeof type.run !== "function")
    throw new InvalidOptionError(`the step type \`${name}\` needs \`run\`, a function`);
  for (const field of ["config", "input", "output"] as const) {
    const schema: { "~standard"?: { validate?: unknown } } | null | undefined = type[field];
    if (schema === undefined) continue;
    const standard = schema?.["~standard"];
    if (typeof standard?.validate !== "function") {
      throw new InvalidOptionError(
        `\`${field}\` of the step type \`${name}\` must be a Standard Schema, such as one of zod or valibot`,
      );
    }
  }
}
