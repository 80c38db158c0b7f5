import type { Block } from "@wfe/core/definition";
import type { ErrorBehaviorKey } from "../schema/modifiers.ts";
import type { DataType } from "../schema/data-types.ts";
import { compileTemplate, type Template } from "../expressions/template.ts";
import type { KnownNames } from "../expressions/names.ts";
import type { Located } from "../source/located.ts";
import type { Problems } from "../source/problem.ts";
import type { StepRunner } from "../running/step-runner.ts";
import type { TypeRegistry } from "../step-types/registry.ts";
import { compileCondition, type Condition, type KnownFields } from "./conditions.ts";
import { namesAt, type Place } from "./place.ts";
import type { ScopeBase } from "./scope.ts";

/** What compiling the steps of one workflow needs to know. */
export class WorkflowContext {
  readonly problems: Problems;
  readonly types: TypeRegistry;
  readonly runner: StepRunner;
  readonly base: ScopeBase;
  readonly fields: KnownFields;
  readonly produced: ReadonlySet<string>;
  readonly inputs: ReadonlyMap<string, DataType> | undefined;
  readonly fallback: ErrorBehaviorKey | undefined;
  /** Absolute; relative paths of steps start there. */
  readonly folder: string;
  /** Workflows of the same load, by id, with what their `outputs` declare. */
  readonly siblings: ReadonlyMap<string, readonly string[] | undefined>;
  /** Compiles a list of steps within this workflow. */
  readonly steps: (list: Located | undefined, place: Place, owner: string) => Block;
  /** Work that a load which may wait does before it ends. */
  readonly preparing: (() => Promise<void>)[] = [];
  readonly #ids: Set<string>;

  constructor(parts: Omit<WorkflowContext, "preparing" | "id" | "template" | "condition" | "names">) {
    this.problems = parts.problems;
    this.types = parts.types;
    this.runner = parts.runner;
    this.base = parts.base;
    this.fields = parts.fields;
    this.produced = parts.produced;
    this.inputs = parts.inputs;
    this.fallback = parts.fallback;
    this.folder = parts.folder;
    this.siblings = parts.siblings;
    this.steps = parts.steps;
    this.#ids = new Set(parts.base.steps);
  }

  /** An id for a node that has no name in the file. */
  id(wanted: string): string {
    for (let count = 1; ; count++) {
      const id = count === 1 ? wanted : `${wanted}-${count}`;
      if (this.#ids.has(id)) continue;
      this.#ids.add(id);
      return id;
    }
  }

  names(place: Place, more: Partial<KnownNames> = {}): KnownNames {
    const inputs = this.inputs;
    const { steps, variables } = this.base;
    return namesAt(place, { variables, steps, inputs, produced: this.produced }, more);
  }

  template(located: Located, place: Place, more: Partial<KnownNames> = {}): Template {
    return compileTemplate(located, this.names(place, more), this.problems);
  }

  condition(located: Located, place: Place): Condition {
    return compileCondition(located, this.fields, this.names(place), this.problems);
  }
}
