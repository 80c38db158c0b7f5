import { randomUUID } from "node:crypto";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { InvalidOptionError } from "@wfe/core";
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parseDocument,
  stringify,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from "yaml";
import { plainOf } from "../source/located.ts";
import { Problems } from "../source/problem.ts";
import { read } from "../source/read.ts";
import { shield } from "../source/shield.ts";
import { Source } from "../source/source.ts";

/** Keys and indices from the top of a file to a value: `["workflow", "steps", 0, "run"]`. */
export type EditPath = readonly (string | number)[];

/** One change of a file. */
export type WorkflowEdit =
  /** Sets a value. The last part of the path may be a new key, or the index after a list's last. */
  | { readonly path: EditPath; readonly value: unknown }
  /** Takes a key or an item away. */
  | { readonly path: EditPath; readonly remove: true };

/**
 * Changes values of a workflow file's text. Whatever is not changed stays as it is written: comments, quotes, empty lines,
 * anchors and `${{ }}`.
 *
 * The result is not checked as a workflow, so that an editor can save what is not finished. Throws `InvalidOptionError` where a
 * path leads nowhere, or through an alias: what it repeats is changed at its anchor; and for a value that is not JSON.
 */
export function editWorkflow(text: string, edits: readonly WorkflowEdit[]): string {
  return edits.reduce(editOnce, text);
}

/** Changes a workflow file in place; see {@link editWorkflow}. The file is replaced as a whole or not at all. */
export async function saveWorkflow(file: string, edits: readonly WorkflowEdit[]): Promise<string> {
  const edited = editWorkflow(await readFile(file, "utf8"), edits);
  const draft = `${file}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, edited, { mode: (await stat(file)).mode });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return edited;
}

function editOnce(text: string, edit: WorkflowEdit): string {
  const { text: shielded } = shield(text);
  const document = parseDocument(shielded, {
    uniqueKeys: false,
    merge: false,
    logLevel: "silent",
    prettyErrors: false,
  });
  const [error] = document.errors;
  if (error !== undefined) throw new InvalidOptionError(`the text is not YAML: ${error.message}`);
  const last = edit.path.at(-1);
  if (last === undefined)
    throw new InvalidOptionError("an edit needs a path: keys and indices from the top of the file");
  checkValue(edit);
  const parent = parentOf(document.contents, edit.path);
  const written = isMap(parent)
    ? editMap(text, parent, String(last), edit)
    : editList(text, parent, Number(last), edit);
  // Layout is guessed from what stands around: a guess that went wrong would be a file that says something else.
  if (written !== undefined && isDone(text, written, edit)) return written;
  return rewritten(text, edit);
}

/** What JSON has no form for could not be read back from the file. */
function checkValue(edit: WorkflowEdit): void {
  if ("remove" in edit) return;
  const name = edit.path.join(".");
  let written: string | undefined;
  try {
    written = JSON.stringify(edit.value);
  } catch (cause) {
    throw new InvalidOptionError(`\`${name}\` cannot be set to this: ${(cause as Error).message}`, { cause });
  }
  if (written !== undefined) return;
  const given = edit.value === undefined ? "undefined" : `a ${typeof edit.value}`;
  throw new InvalidOptionError(`\`${name}\` cannot be set to ${given}: \`remove: true\` takes it away`);
}

function parentOf(top: Node | null, path: EditPath): YAMLMap | YAMLSeq {
  let here: unknown = top;
  for (const [index, key] of path.entries()) {
    if (isAlias(here)) {
      throw new InvalidOptionError(
        `\`${path.slice(0, index).join(".")}\` is an alias: change what it repeats, at its anchor`,
      );
    }
    if (!isMap(here) && !isSeq(here))
      throw new InvalidOptionError(`there is no \`${path.slice(0, index + 1).join(".")}\` in the file`);
    if (index === path.length - 1) return here;
    here = isMap(here) ? pairOf(here, String(key))?.value : here.items[Number(key)];
  }
  throw new InvalidOptionError("an edit needs a path");
}

function pairOf(map: YAMLMap, key: string): Pair<Node, Node | null> | undefined {
  return (map.items as Pair<Node, Node | null>[]).find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

function editMap(text: string, map: YAMLMap, key: string, edit: WorkflowEdit): string | undefined {
  const pair = pairOf(map, key);
  const [start, end] = map.range ?? [0, 0];
  if ("remove" in edit) {
    if (pair === undefined) throw new InvalidOptionError(`there is no \`${edit.path.join(".")}\` in the file`);
    if (map.flow === true || map.items.length === 1) return undefined;
    return withoutLines(text, pair.key.range?.[0] ?? start, pair.value?.range?.[1] ?? pair.key.range?.[1] ?? end);
  }
  const indent = columnOf(text, (map.items[0] as Pair<Node> | undefined)?.key.range?.[0] ?? start);
  if (pair !== undefined) {
    const colon = text.indexOf(":", pair.key.range?.[1] ?? start) + 1;
    const value = pair.value?.range;
    const style = isScalar(pair.value) ? pair.value.type : undefined;
    // An anchor stands before the value that it names, and stays.
    const from = value === undefined || value === null || value[0] === value[1] ? colon : value[0];
    const until =
      value === undefined || value === null || value[0] === value[1] ? colon : lastCharacter(text, value[0], value[1]);
    const made = rendered(edit.value, indent, style, map.flow === true);
    const inline = !made.startsWith("\n");
    const before =
      from === colon
        ? text.slice(0, from) + (inline ? " " : "")
        : inline
          ? text.slice(0, from)
          : text.slice(0, from).trimEnd();
    return before + made + text.slice(until);
  }
  if (map.flow === true || map.items.length === 0) return undefined;
  const after = lastCharacter(text, start, end);
  const made = rendered(edit.value, indent, undefined, false);
  const name = stringify(key).trimEnd();
  return `${text.slice(0, after)}\n${" ".repeat(indent)}${name}:${made.startsWith("\n") ? "" : " "}${made}${text.slice(after)}`;
}

function editList(text: string, list: YAMLSeq, index: number, edit: WorkflowEdit): string | undefined {
  const item = list.items[index] as Node | null | undefined;
  const [start, end] = list.range ?? [0, 0];
  if (!Number.isInteger(index) || index < 0 || index > list.items.length || ("remove" in edit && item === undefined)) {
    throw new InvalidOptionError(
      `there is no \`${edit.path.join(".")}\` in the file: the list has ${list.items.length} items`,
    );
  }
  if (list.flow === true || list.items.length === 0) return undefined;
  const indent = columnOf(text, start);
  if ("remove" in edit) {
    if (list.items.length === 1 || item?.range === undefined || item.range === null) return undefined;
    return withoutLines(text, text.lastIndexOf("-", item.range[0] - 1), item.range[1]);
  }
  const made = stringify(edit.value, { indent: 2, lineWidth: 0 }).trimEnd();
  const block = made.split("\n").join(`\n${" ".repeat(indent + 2)}`);
  if (item !== undefined) {
    const range = item?.range;
    if (range === undefined || range === null) return undefined;
    return text.slice(0, range[0]) + block + text.slice(lastCharacter(text, range[0], range[1]));
  }
  const after = lastCharacter(text, start, end);
  return `${text.slice(0, after)}\n${" ".repeat(indent)}- ${block}${text.slice(after)}`;
}

/** A value as it is written after a colon: on the same line, or below it, indented. */
function rendered(value: unknown, indent: number, style: string | undefined | null, flow: boolean): string {
  if (typeof value === "string" && !value.includes("\n")) {
    if (style === "QUOTE_DOUBLE") return JSON.stringify(value);
    if (style === "QUOTE_SINGLE") return `'${value.replaceAll("'", "''")}'`;
  }
  if (flow) return JSON.stringify(value);
  if (
    typeof value === "object" &&
    value !== null &&
    (Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0)
  ) {
    const made = stringify(value, { indent: 2, lineWidth: 0 }).trimEnd();
    return `\n${" ".repeat(indent + 2)}${made.split("\n").join(`\n${" ".repeat(indent + 2)}`)}`;
  }
  if (typeof value === "string" && value.includes("\n")) return literal(value, indent + 2);
  return stringify(value, { lineWidth: 0 }).trimEnd();
}

function literal(value: string, indent: number): string {
  const keep = value.endsWith("\n\n") ? "+" : value.endsWith("\n") ? "" : "-";
  const lines = value.replace(/\n$/, "").split("\n");
  const explicit = /^\s/.test(lines[0] ?? "") ? "2" : "";
  return `|${explicit}${keep}\n${lines.map((line) => (line === "" ? "" : " ".repeat(indent) + line)).join("\n")}`;
}

function columnOf(text: string, offset: number): number {
  return offset - (text.lastIndexOf("\n", offset - 1) + 1);
}

/** The end of a value without the white space that a block has after it. */
function lastCharacter(text: string, start: number, end: number): number {
  let last = Math.min(end, text.length);
  while (last > start && /\s/.test(text[last - 1] ?? "")) last--;
  return last;
}

/** The text without the lines of an entry; undefined where it shares its first line with something else. */
function withoutLines(text: string, start: number, end: number): string | undefined {
  const lineStart = text.lastIndexOf("\n", start - 1) + 1;
  if (text.slice(lineStart, start).trim() !== "") return undefined;
  const last = lastCharacter(text, start, end);
  const lineEnd = text.indexOf("\n", last);
  return text.slice(0, lineStart) + (lineEnd === -1 ? "" : text.slice(lineEnd + 1));
}

function isDone(before: string, after: string, edit: WorkflowEdit): boolean {
  const was = plain(before);
  const is = plain(after);
  if (was === undefined || is === undefined) return false;
  const expected = changed(was, edit);
  return (
    isDeepStrictEqual(is, expected) ||
    (hasAnchors(before) && isDeepStrictEqual(valueAt(is, edit.path), valueAt(expected, edit.path)))
  );
}

function hasAnchors(text: string): boolean {
  return /[&*][\w-]/.test(text);
}

function plain(text: string): unknown {
  const located = read(new Source("", text), new Problems());
  return located === undefined ? undefined : (JSON.parse(JSON.stringify(plainOf(located))) as unknown);
}

function changed(value: unknown, edit: WorkflowEdit): unknown {
  const copy = structuredClone(value) as Record<string | number, unknown>;
  const parent = valueAt(copy, edit.path.slice(0, -1)) as Record<string | number, unknown> | unknown[];
  const last = edit.path.at(-1) ?? "";
  if ("value" in edit)
    (parent as Record<string | number, unknown>)[last] = JSON.parse(JSON.stringify(edit.value)) as unknown;
  else if (Array.isArray(parent)) parent.splice(Number(last), 1);
  else delete parent[last];
  return copy;
}

function valueAt(value: unknown, path: EditPath): unknown {
  let here = value;
  for (const key of path) here = (here as Record<string | number, unknown> | undefined)?.[key];
  return here;
}

/** By the library, which keeps comments and writes everything anew. */
function rewritten(text: string, edit: WorkflowEdit): string {
  const { text: shielded, restore } = shield(text);
  const document = parseDocument(shielded, { uniqueKeys: false, merge: false, logLevel: "silent" });
  if ("remove" in edit) document.deleteIn(edit.path);
  else document.setIn(edit.path, document.createNode(edit.value));
  return restore(document.toString({ lineWidth: 0 }), "plain");
}
