import { childOf, type Located } from "../source/located.ts";
import type { Problems } from "../source/problem.ts";

/** Keys that the data itself needs. */
export function checkKey(problems: Problems, located: Located, field: string, key: string | undefined): void {
  if (key !== "steps" && key !== "item.steps" && key !== "__proto__") return;
  problems.add(
    "forbidden-key",
    childOf(located, field) ?? located,
    `\`${key}\` is a key of the data that WFE itself uses`,
    "choose another name",
  );
}
