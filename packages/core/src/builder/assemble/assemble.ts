import type { Block, DefinitionNode } from "../../definition/nodes.ts";
import type { DefinitionProblem } from "../../errors.ts";
import { nameProblem } from "../names.ts";
import type { BodySketch } from "../sketch.ts";
import { assignIds, type Placed, type PlacedBody } from "./assign-ids.ts";
import { Check } from "./check.ts";
import { checkModifiers } from "./modifiers.ts";

/** Makes the nodes of a whole chain, frozen, and tells what is wrong with it. */
export function assemble(top: BodySketch): { readonly body: Block; readonly problems: readonly DefinitionProblem[] } {
  const problems: DefinitionProblem[] = [];
  const whole = assignIds(top, (id) =>
    problems.push({ stepId: id, message: "two steps have this id: ids are unique in the definition" }),
  );
  if (whole.placed.length === 0) problems.push({ message: "the workflow has no steps" });
  return { body: makeBlock(whole, undefined, problems), problems };
}

function makeBlock(body: PlacedBody, owner: string | undefined, problems: DefinitionProblem[]): Block {
  for (const message of body.problems) problems.push(owner === undefined ? { message } : { stepId: owner, message });
  const end = body.placed.findIndex(({ sketch }) => sketch.kind === "end" || sketch.kind === "fail");
  for (const { id } of end === -1 ? [] : body.placed.slice(end + 1)) {
    problems.push({ stepId: id, message: `is never reached: \`${body.placed[end]?.id}\` before it ends the workflow` });
  }
  return Object.freeze({ nodes: Object.freeze(body.placed.map((placed) => makeNode(placed, problems))) });
}

function makeNode(placed: Placed, problems: DefinitionProblem[]): DefinitionNode {
  const { sketch, id, name } = placed;
  const blocks = new Map(placed.bodies.map(([slot, body]) => [slot, makeBlock(body, id, problems)]));
  const check = new Check(id, problems, blocks);
  const tooLong = nameProblem(id);
  if (tooLong !== undefined) check.problem(`its id ${tooLong}: give it a shorter one by \`.id\``);
  const modifiers = checkModifiers(check, sketch);
  return Object.freeze({
    kind: sketch.kind,
    id,
    name,
    ...modifiers,
    ...sketch.finish(check),
  }) as unknown as DefinitionNode;
}
