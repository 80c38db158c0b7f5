import type { Block } from "../../definition/nodes.ts";
import { given } from "../assemble/check.ts";
import { frozenMap } from "../assemble/frozen-map.ts";
import { shown } from "../names.ts";
import { sketch, type BodySketch, type Sketch } from "../sketch.ts";

export function ifSketch(condition: unknown, then: BodySketch, otherwise: BodySketch | undefined): Sketch {
  const bodies: [string, BodySketch][] = [["then", then]];
  if (otherwise !== undefined) bodies.push(["otherwise", otherwise]);
  return sketch("if", undefined, bodies, (check) => {
    const blocks = bodies.map(([slot]) => check.block(slot));
    if (blocks.every((block) => block.nodes.length === 0)) check.problem("`ifDo` does nothing: its bodies are empty");
    return {
      condition: check.expression<boolean>(condition, "the condition of `ifDo`"),
      then: check.block("then"),
      ...given("otherwise", otherwise === undefined ? undefined : check.block("otherwise")),
    };
  });
}

/** `cases` are by their text, `default` among them; undefined: they were not given as an object. */
export function decideSketch(
  value: unknown,
  hasValue: boolean,
  cases: readonly (readonly [string, BodySketch])[] | undefined,
): Sketch {
  return sketch("decide", undefined, cases ?? [], (check) => {
    const blocks = new Map<string, Block>();
    for (const [text] of cases ?? []) blocks.set(text, check.block(text));
    if (cases === undefined)
      check.problem("`decide` takes an object of cases, such as `{ a: (b) => ..., default: (b) => ... }`");
    else if ([...blocks.values()].every((block) => block.nodes.length === 0))
      check.problem("`decide` does nothing: it has no case with a step");
    if (hasValue && typeof value !== "function")
      check.problem(`the value of \`decide\` must be a function of the data, got ${shown(value)}`);
    const otherwise = blocks.get("default");
    blocks.delete("default");
    return {
      ...given(
        "value",
        hasValue && typeof value === "function" ? check.expression(value, "the value of `decide`") : undefined,
      ),
      cases: frozenMap(blocks),
      ...given("otherwise", otherwise),
    };
  });
}
