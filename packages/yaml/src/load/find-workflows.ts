import { childOf, keyOf, type Located } from "../source/located.ts";
import { suggestion } from "../source/nearest.ts";
import type { Problems } from "../source/problem.ts";
import { headOf } from "../compile/check-shape.ts";

/** What a file says at its top: in order, its workflows and the files it includes. */
export type Part = { readonly workflow: Located } | { readonly include: Located };

/** Takes a file apart. Keys other than `workflow`, `workflows` and `include` are for anchors. */
export function findWorkflows(file: Located, problems: Problems): readonly Part[] {
  if (file.kind !== "map") {
    problems.add("wrong-value", headOf(file), "expected `workflow:` or `workflows:` at the top of the file");
    return [];
  }
  const parts: Part[] = [];
  for (const [key, { value }] of file.entries) {
    if (key === "workflow") parts.push({ workflow: value });
    else if (key === "workflows") parts.push(...listed(value, "workflows", problems).map((workflow) => ({ workflow })));
    else if (key === "include") {
      const files = value.kind === "scalar" ? [value] : listed(value, "include", problems);
      parts.push(...files.map((include) => ({ include })));
    }
  }
  if (file.entries.has("workflow") && file.entries.has("workflows")) {
    problems.add("conflict", keyOf(file, "workflows"), "a file has `workflow` or `workflows`, not both");
  }
  if (parts.length > 0 || ["workflow", "workflows", "include"].some((key) => childOf(file, key) !== undefined))
    return parts;
  const [first] = file.entries.keys();
  const near = first === undefined ? undefined : suggestion(first, ["workflow", "workflows", "include"]);
  const place = first === undefined ? headOf(file) : keyOf(file, first);
  problems.add(
    "missing-key",
    place,
    "expected `workflow:` or `workflows:` at the top of the file",
    near?.startsWith("did") === true ? near : undefined,
  );
  return [];
}

function listed(value: Located, key: string, problems: Problems): readonly Located[] {
  if (value.kind === "list" && (value.items.length > 0 || key === "include")) return value.items;
  problems.add("wrong-value", headOf(value), `expected a list under \`${key}\``);
  return [];
}
