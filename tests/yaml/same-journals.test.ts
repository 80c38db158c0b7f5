import type { WorkflowDefinition } from "@wfe/core";
import { parseWorkflow, type StepType } from "@wfe/yaml";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { inMemory } from "../support/local-stores.ts";
import { World } from "../support/world.ts";
import { errors } from "./scenarios/errors.ts";
import { flow } from "./scenarios/flow.ts";
import type { Bodies, Scenario } from "./scenarios/scenario.ts";
import { waits } from "./scenarios/waits.ts";

/** What a front end has a say in: which facts, of which steps, in which order, and which of them were decided together. */
interface Fact {
  readonly seq: number;
  readonly kind: string;
  readonly stepId: string | undefined;
  readonly attempt: number | undefined;
  readonly dueAt: number | undefined;
}

async function journalOf(scenario: Scenario, definition: WorkflowDefinition): Promise<readonly Fact[]> {
  await using world = new World(inMemory);
  const host = await world.start([definition, ...(scenario.children ?? [])]);
  const handle = await host.startWorkflow(definition, scenario.data ?? {}, { id: "w" });
  await scenario.drive?.({ host, handle, world });
  expect((await world.ended(handle)).status).toBe(scenario.status ?? "completed");
  const items = await historyOf(host, "w");
  return items.map(({ seq, kind, stepId, attempt, dueAt }) => ({ seq, kind, stepId, attempt, dueAt }));
}

/** Bodies by name; those that a scenario says nothing about do nothing. Functions have their names, for the builder's ids. */
function bodiesOf(scenario: Scenario): Bodies {
  const given = scenario.bodies?.() ?? {};
  return new Proxy(given, {
    get: (_, name: string) =>
      Object.defineProperty((...args: Parameters<NonNullable<Bodies[string]>>) => given[name]?.(...args), "name", {
        value: name,
      }),
  });
}

function bodyType(bodies: Bodies): StepType {
  return {
    type: "body",
    title: "Body",
    description: "What the scenario says that a step of this name does.",
    async run(config, { step, ctx }) {
      const output: unknown = await bodies[step]?.(config, ctx);
      return typeof output === "object" && output !== null ? { outputs: output as Record<string, unknown> } : {};
    },
  };
}

describe("a workflow of the builder and the same in YAML have the same journal", () => {
  it.each([...flow, ...errors, ...waits])("$title", async (scenario) => {
    const built = scenario.build(bodiesOf(scenario)).build("w", 1);
    const text = `workflow:\n  id: w\n  version: 1\n${scenario.yaml.replaceAll(/^ {4}/gm, "")}`;
    const parsed = parseWorkflow(text, {}, { types: [bodyType(bodiesOf(scenario))] });
    expect(await journalOf(scenario, parsed)).toEqual(await journalOf(scenario, built));
  });
});
