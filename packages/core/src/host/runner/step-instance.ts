import type { StepClass, StepNode } from "../../definition/nodes.ts";
import type { StepBody } from "../../definition/step-context.ts";
import { FatalError } from "../../errors.ts";
import { isThenable, leaveUnheard } from "../../thenable.ts";
import { describeValue } from "../client/names.ts";
import type { CreateStep } from "../core/host-core.ts";

/** What runs an attempt of a step that is a class. Throws a `FatalError` where that is not possible: another attempt would go the same way. */
export function stepInstance(createStep: CreateStep, node: StepNode): StepBody<any, any> {
  const Step = node.body as StepClass;
  const made: unknown = createStep(Step);
  if (!isThenable(made) && typeof (made as Partial<StepBody> | null | undefined)?.run === "function")
    return made as StepBody<any, any>;
  leaveUnheard(made);
  const given = isThenable(made) ? "a promise" : `${describeValue(made)}, which has no method \`run\``;
  throw new FatalError(
    `step \`${node.id}\` cannot run: of its class \`${Step.name}\` the host's \`createStep\` (by default \`new\`) gave ${given}; it must give, at once, an object with a method \`run(input, ctx)\``,
  );
}
