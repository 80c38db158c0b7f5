import type { StepClass, StepFunction } from "../../definition/nodes.ts";
import { given } from "../assemble/check.ts";
import { functionName, isGeneratorFunction, isStepClass } from "../functions.ts";
import { shown } from "../names.ts";
import { sketch, type Sketch } from "../sketch.ts";

/** `startWith`, `then`, `thenFn`, and the node of a graph. */
export function stepSketch(body: unknown, input: unknown, isMisplaced = false): Sketch {
  return sketch("step", functionName(body), [], (check) => {
    if (isMisplaced)
      check.problem("`startWith` is for the first step of a chain, and others come before this one: use `then`");
    if (typeof body !== "function") {
      check.problem(`a step must be a function, or a class with a \`run\` method, got ${shown(body)}`);
    } else if (isGeneratorFunction(body)) {
      check.problem("a step must not be a generator: its result would be an iterator, which cannot be stored");
    }
    return {
      body: body as StepFunction | StepClass,
      isClass: typeof body === "function" && isStepClass(body as StepFunction),
      ...given("input", input === undefined ? undefined : check.expression(input, "the input map")),
    };
  });
}
