import type { ErrorBehavior } from "../../definition/error-behavior.ts";
import type { Block, NodeBase, NodeKind, OutputMap } from "../../definition/nodes.ts";
import { shown } from "../names.ts";
import type { Modifier, ModifierName, Sketch } from "../sketch.ts";
import type { Check } from "./check.ts";

const ofContainers: readonly ModifierName[] = ["name", "id", "cancelWhen", "onFailure", "ensure"];
const ofSteps: readonly ModifierName[] = [
  ...ofContainers,
  "as",
  "output",
  "onError",
  "timeout",
  "compensateWith",
  "onCrash",
];
const without = (...left: ModifierName[]): readonly ModifierName[] => ofSteps.filter((name) => !left.includes(name));

/** Which modifier where. The types say the same; this is for callers without them. */
const taken: Readonly<Record<NodeKind, readonly ModifierName[]>> = {
  step: ofSteps,
  "run-workflow": without("onCrash"),
  wait: without("timeout", "onCrash"),
  saga: without("output", "onCrash"),
  if: ofContainers,
  decide: ofContainers,
  while: ofContainers,
  "do-while": ofContainers,
  "for-each": ofContainers,
  parallel: ofContainers,
  graph: ofContainers,
  delay: ofContainers,
  "sleep-until": ofContainers,
  end: ["name", "id"],
  fail: ["name", "id"],
};

const blocksByModifier = { compensateWith: "compensation", onFailure: "onFailure", ensure: "ensure" } as const;

/** The slots of the blocks that modifiers give a node, in the order in which the engine lists them. */
export function modifierBodies(sketch: Sketch): Sketch["bodies"] {
  return (["compensateWith", "onFailure", "ensure"] as const).flatMap((name) => {
    const body = sketch.modifiers.findLast((modifier) => modifier.name === name)?.body;
    return body === undefined ? [] : [[blocksByModifier[name], body] as const];
  });
}

/** Checks a node's modifiers, and makes the fields that stand for them. Name and id are dealt with elsewhere. */
export function checkModifiers(check: Check, sketch: Sketch): Omit<NodeBase, "id" | "name"> {
  const made: Omit<NodeBase, "id" | "name"> = {};
  const seen = new Set<ModifierName>();
  for (const modifier of sketch.modifiers) {
    if (!taken[sketch.kind].includes(modifier.name)) {
      check.problem(
        `\`${sketch.kind}\` takes no \`.${modifier.name}\`; it takes ${taken[sketch.kind].map((name) => `\`.${name}\``).join(", ")}`,
      );
    } else if (seen.has(modifier.name)) check.problem(`\`.${modifier.name}\` is given twice`);
    else Object.assign(made, fieldOf(check, modifier));
    seen.add(modifier.name);
  }
  if (made.as !== undefined && made.output !== undefined) {
    check.problem("`.as` and `.output` both say where the output goes: use one of them");
  }
  return made;
}

function fieldOf(check: Check, modifier: Modifier): Partial<NodeBase> {
  const { value } = modifier;
  switch (modifier.name) {
    case "name":
      check.name(value, "the name");
      return {};
    case "id":
      check.name(value, "the id");
      return {};
    case "as":
      return { as: check.dataKey(value, "the key of `.as`") };
    case "output":
      return { output: check.expression(value, "the map of `.output`") as OutputMap };
    case "onError":
      return { onError: checkBehavior(check, value) };
    case "timeout": {
      const timeoutMs = check.milliseconds(value, "`.timeout`");
      if (timeoutMs === 0) check.problem("`.timeout` must be longer than 0");
      return { timeoutMs };
    }
    case "onCrash":
      return { onCrash: check.oneOf(value, ["retry", "fail", "suspend"], "`.onCrash`") };
    case "cancelWhen": {
      const { condition, options } = value as { condition: unknown; options: unknown };
      const { proceed = false } = check.options(options, ["proceed"], "`.cancelWhen`");
      if (typeof proceed !== "boolean") check.problem(`\`proceed\` must be true or false, got ${shown(proceed)}`);
      return {
        cancelWhen: Object.freeze({
          condition: check.expression<boolean>(condition, "the condition of `.cancelWhen`"),
          proceed: proceed as boolean,
        }),
      };
    }
    case "compensateWith":
      return { compensation: hook(check, "compensation", "the sequence of `.compensateWithSequence`") };
    case "onFailure":
      return { onFailure: hook(check, "onFailure", "the body of `.onFailure`") };
    case "ensure":
      return { ensure: hook(check, "ensure", "the body of `.ensure`") };
  }
}

function hook(check: Check, slot: string, what: string): Block {
  return check.filledBlock(slot, what);
}

function checkBehavior(check: Check, value: unknown): ErrorBehavior {
  const isRetry = typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "retry";
  if (isRetry) return value as ErrorBehavior;
  if (typeof value === "function")
    check.problem("`.onError` takes what `retry({...})` gives, not `retry` itself: call it");
  else if (typeof value === "object")
    check.problem("`.onError` takes retries from `retry({...})` only, which checks its options");
  return check.oneOf(value, ["fail", "suspend", "terminate", "compensate", "ignore"], "`.onError`");
}
