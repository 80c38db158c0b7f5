import { jsonpath } from "json-p3";

/** What is wrong with a JSONPath (RFC 9535); undefined when nothing is. */
export function jsonPathProblem(query: string): string | undefined {
  try {
    jsonpath.compile(query);
    return undefined;
  } catch (error) {
    const [reason = ""] = (error as Error).message.split("\n");
    return `the JSONPath \`${query.slice(0, 60)}\` is wrong: ${reason}`;
  }
}

/** What a JSONPath finds: the value, where it can find one at most; else a list. Undefined where that one is not there. */
export function jsonPath(value: unknown, query: string): unknown {
  const compiled = jsonpath.compile(query);
  const found = compiled.query(value as Parameters<typeof compiled.query>[0]).values();
  return compiled.singularQuery() ? found[0] : found;
}
