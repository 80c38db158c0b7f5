import type { WorkflowDefinition } from "../definition/definition.ts";
import { DefinitionConflictError, DefinitionNotFoundError, InvalidOptionError } from "../errors.ts";
import type { DefinitionRef } from "../providers/persistence-provider.ts";
import { describeValue } from "./client/names.ts";
import { nearestName } from "./client/nearest-name.ts";
import type { Registry } from "./core/host-core.ts";

/** The definitions of one host, by id and version. */
export class DefinitionRegistry implements Registry {
  readonly #allowRedefine: boolean;
  readonly #byId: Map<string, Map<number, WorkflowDefinition>> = new Map();
  readonly #listeners: Set<() => void> = new Set();
  #refs: readonly DefinitionRef[] = [];
  #anyRefs: readonly DefinitionRef[] = [];

  constructor(options: { readonly allowRedefine: boolean }) {
    this.#allowRedefine = options.allowRedefine;
  }

  /**
   * Adds a definition. The same structure again replaces its functions and is otherwise nothing new.
   *
   * Throws `DefinitionConflictError` where the id and version are there with another structure, unless redefining is allowed.
   */
  register(definition: WorkflowDefinition): void {
    checkDefinition(definition);
    const { id, version, hash } = definition;
    const versions = this.#byId.get(id) ?? new Map<number, WorkflowDefinition>();
    const before = versions.get(version);
    if (before !== undefined && before.hash !== hash && !this.#allowRedefine) throw conflict(id, version);

    versions.set(version, definition);
    this.#byId.set(id, versions);
    if (before === undefined) {
      this.#anyRefs = [...this.#anyRefs, { id, version }];
      this.#refs = this.#allowRedefine ? this.#anyRefs : [...this.#refs, { id, version, hash }];
    }
    for (const listener of this.#listeners) listener();
  }

  get(id: string, version: number): WorkflowDefinition | undefined {
    return this.#byId.get(id)?.get(version);
  }

  running(id: string, version: number, hash: string): WorkflowDefinition | undefined {
    const definition = this.get(id, version);
    return definition?.hash === hash || this.#allowRedefine ? definition : undefined;
  }

  latest(id: string): WorkflowDefinition | undefined {
    const versions = this.#byId.get(id);
    return versions?.get(Math.max(...versions.keys()));
  }

  all(): readonly DefinitionRef[] {
    return this.#refs;
  }

  inAnyStructure(): readonly DefinitionRef[] {
    return this.#anyRefs;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The definition of this id and version (default: the highest). Throws `DefinitionNotFoundError` with what there is. */
  require(id: string, version: number | undefined): WorkflowDefinition {
    const found = version === undefined ? this.latest(id) : this.get(id, version);
    if (found !== undefined) return found;
    throw new DefinitionNotFoundError(this.#notFound(id, version), { definitionId: id, version });
  }

  /**
   * Checks a definition that a caller hands over instead of an id. `needed`: it must be registered, since this host is the one
   * that would run it.
   */
  admit(definition: WorkflowDefinition, needed: boolean): WorkflowDefinition {
    checkDefinition(definition);
    const { id, version, hash } = definition;
    const registered = this.get(id, version);
    if (registered === undefined) {
      if (!needed) return definition;
      throw new DefinitionNotFoundError(
        `${this.#notFound(id, version)}; this host runs workflows and would never run it: pass it in \`workflows\`, or call \`host.register(definition)\` first`,
        { definitionId: id, version },
      );
    }
    if (registered.hash !== hash && !this.#allowRedefine) throw conflict(id, version);
    return definition;
  }

  #notFound(id: string, version: number | undefined): string {
    const what = `no workflow \`${id}\`${version === undefined ? "" : ` version ${version}`} is registered`;
    const versions = this.#byId.get(id);
    if (versions !== undefined)
      return `${what}: there is version ${[...versions.keys()].sort((a, b) => a - b).join(", ")}`;
    const ids = [...this.#byId.keys()].sort();
    if (ids.length === 0)
      return `${what}, nor any other: pass the definition in place of its id, or definitions in \`workflows\`; a host that is not started needs them to check what it starts, and runs none`;
    const nearest = nearestName(id, ids);
    return `${what}${nearest === undefined ? "." : `, did you mean \`${nearest}\`?`} There is ${listed(ids)}`;
  }
}

function checkDefinition(value: unknown): asserts value is WorkflowDefinition {
  const definition = value as Partial<WorkflowDefinition> | null | undefined;
  if (
    typeof definition === "object" &&
    definition !== null &&
    typeof definition.hash === "string" &&
    definition.index !== undefined
  )
    return;
  const unbuilt = typeof value === "object" && value !== null && "build" in value;
  throw new InvalidOptionError(
    unbuilt
      ? "a workflow was passed before it was built: end its chain with `.build(id, version)`"
      : `a workflow definition is expected, as \`.build(id, version)\` gives it, got ${describeValue(value)}`,
  );
}

function conflict(id: string, version: number): DefinitionConflictError {
  return new DefinitionConflictError(
    `workflow \`${id}\` version ${version} is registered already with another structure: raise the version, so that workflows that are under way keep theirs; ` +
      "while developing, `allowRedefine: true` lets the newer one replace it",
    { definitionId: id, version },
  );
}

const mostListed = 20;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostListed).map((name) => `\`${name}\``);
  return names.length <= mostListed ? shown.join(", ") : `${shown.join(", ")} and ${names.length - mostListed} more`;
}
