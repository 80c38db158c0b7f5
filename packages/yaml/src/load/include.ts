import { readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { limits } from "../source/limits.ts";
import type { Located } from "../source/located.ts";
import type { Problems } from "../source/problem.ts";
import { read } from "../source/read.ts";
import { Source } from "../source/source.ts";
import { findWorkflows } from "./find-workflows.ts";

/** A workflow, still as it is written, with the folder of its file. */
export interface Found {
  readonly workflow: Located;
  readonly folder: string;
}

/**
 * All workflows of a file and of those it includes, in the order of the text. A file that is included twice is taken once; one
 * that includes itself, through whatever others, is a problem that names the way.
 */
export function collectWorkflows(source: Source, problems: Problems): readonly Found[] {
  const found: Found[] = [];
  const taken = new Set<string>();
  const visit = (each: Source, way: readonly string[]): void => {
    const file = read(each, problems);
    if (file === undefined) return;
    const folder = dirname(resolve(each.file));
    for (const part of findWorkflows(file, problems)) {
      if ("workflow" in part) found.push({ workflow: part.workflow, folder });
      else include(part.include, each, way);
    }
  };
  const include = (place: Located, from: Source, way: readonly string[]): void => {
    const wanted = place.kind === "scalar" && typeof place.value === "string" ? place.value : undefined;
    const wrong = wanted === undefined || wanted === "" ? "expected the path of a file" : pathProblem(wanted);
    if (wanted === undefined || wrong !== undefined)
      return problems.add("include", place, wrong ?? "expected the path of a file");
    const path = resolve(dirname(resolve(from.file)), wanted);
    const shown = relative(process.cwd(), path);
    const name = from.file.startsWith("/") || shown.startsWith("..") ? path : shown;
    let real: string;
    let text: string;
    try {
      real = realpathSync(path);
      if (statSync(real).size > limits.fileLength * 4) throw new Error("it is too large");
      text = readFileSync(real, "utf8");
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      const why =
        code === "ENOENT"
          ? "there is no such file"
          : code === "EISDIR"
            ? "it is a folder"
            : (message.split("\n", 1)[0] ?? "");
      return problems.add("include", place, `\`${wanted}\` cannot be included: ${why}`);
    }
    if (way.includes(real)) {
      const names = [...way.slice(way.indexOf(real)), real].map((each) => relative(dirname(way[0] ?? real), each));
      return problems.add(
        "cycle",
        place,
        `files that include one another: ${names.map((each) => `\`${each}\``).join(" -> ")}`,
      );
    }
    if (taken.has(real)) return;
    if (taken.size >= limits.files) return problems.add("limit", place, `more than ${limits.files} files are included`);
    taken.add(real);
    visit(new Source(name, text), [...way, real]);
  };
  visit(source, [realOf(source.file)]);
  return found;
}

function realOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    return resolve(file);
  }
}

function pathProblem(path: string): string | undefined {
  if (path.includes("\0")) return "a path cannot contain NUL";
  return /\.ya?ml$/i.test(path) ? undefined : "expected the path of a .yaml or .yml file";
}
