import type { Violation } from "./verdict.ts";
import type { World } from "./world.ts";

/** Lines of a story at most: the last ones, and those that tell of the workflow in question. */
const mostLines = 150;
const widestLine = 420;

/** Tells how a schedule came to its failure, for whoever is to mend it. */
export function storyOf(
  world: World,
  violation: Violation,
  options: { readonly seed: number; readonly trace: readonly string[]; readonly without: ReadonlySet<string> },
): string {
  const parts = world.parts().filter((part) => !options.without.has(part) && !part.startsWith("node:"));
  return [
    `seed ${options.seed}: ${violation.check}. At ${violation.atMs} ms ${violation.message}`,
    "",
    `definitions: ${world.definitionsAsText().join("\n             ")}`,
    `hosts: ${world.plan.hosts.length}, with leases of ${world.plan.leaseMs} ms; after ${world.plan.chaosMs} ms nothing goes wrong any more`,
    ...(Object.keys(world.plan.retention).length === 0
      ? []
      : [`retention: ${JSON.stringify(world.plan.retention)} ms`]),
    ...(world.plan.namespaces.length === 1 ? [] : [`namespaces: ${world.plan.namespaces.join(", ")}`]),
    "what it takes:",
    ...parts.map((part) => `  ${world.describe(part)}`),
    "what happened:",
    ...shortened(options.trace),
    "",
    "to replay it:",
    `  await simulate({ seed: ${options.seed}, without: ${JSON.stringify([...options.without])} })`,
  ].join("\n");
}

function shortened(trace: readonly string[]): readonly string[] {
  const left = trace.length - mostLines;
  const lines = left > 0 ? [`  (${left} lines before)`, ...trace.slice(left)] : trace;
  return lines.map((line) => {
    const plain = line.replaceAll(/"stack":"(?:[^"\\]|\\.)*"/g, `"stack":""`);
    return `  ${plain.length > widestLine ? `${plain.slice(0, widestLine)}...` : plain}`;
  });
}
