import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import { InvalidDefinitionError } from "@wfe/core";
import { InvalidFileError } from "./exit-codes.ts";

const moduleEndings: ReadonlySet<string> = new Set([".ts", ".mts", ".cts", ".js", ".mjs", ".cjs"]);

/**
 * What a module of the user exports. `path` is absolute, `file` what the user calls it. Throws `InvalidFileError` with the place,
 * where there is one, for whatever keeps it from being loaded.
 */
export async function loadModule(path: string, file: string): Promise<Readonly<Record<string, unknown>>> {
  if (!moduleEndings.has(extname(path))) {
    throw new InvalidFileError(
      `${file} cannot be read as workflows: expected YAML, whose name ends in .yaml or .yml, or a module that exports workflows (${[...moduleEndings].join(", ")})`,
    );
  }
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    // It tells all that is wrong with a definition, by its id.
    if (error instanceof InvalidDefinitionError) throw error;
    const message = error instanceof Error ? error.message : String(error);
    const place = placeOf(error);
    throw new InvalidFileError(`${file} cannot be loaded: ${message}${place === undefined ? "" : ` (${place})`}`, {
      cause: error,
    });
  }
}

/** The first place that is not one of Node's own: a syntax error has it on its first line, others in their first frame. */
function placeOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.stack === undefined) return undefined;
  const [first = "", ...rest] = error.stack.split("\n");
  if (/^(file:\/\/|\/|[A-Z]:\\).+:\d+$/.test(first)) return first;
  const frame = rest.find((line) => /^ {4}at /.test(line));
  return /\(?((?:file:\/\/|\/|[A-Z]:\\)[^()]+:\d+:\d+)\)?$/.exec(frame ?? "")?.[1];
}
