import type { WorkflowDefinition } from "../definition/definition.ts";

/** A step by its id, or by the last part of it where that names one alone. */
export function stepNamed({ index }: WorkflowDefinition, name: string): string | undefined {
  if (index.places.has(name)) return name;
  const matches = [...index.places.keys()].filter((id) => id.endsWith(`/${name}`));
  return matches.length === 1 ? matches[0] : undefined;
}
