import { childOf, type Located } from "../source/located.ts";
import type { Problems } from "../source/problem.ts";
import { short } from "../source/read.ts";

/** What a workflow's steps are called and what they give, before any of them is looked at closely: conditions may look ahead. */
export interface StepNames {
  readonly steps: ReadonlySet<string>;
  /** Names of declared outputs, and of those that a program text sets. */
  readonly produced: ReadonlySet<string>;
  /** Steps may give more outputs than the file tells: scripts in files, types of the application. */
  readonly open: boolean;
}

const hooks = ["on_success", "on_failure", "ensure", "compensate"];
const lists = ["steps", "parallel", "else", "on_timeout"];

/** Collects all names of a workflow. Two steps of one name are a problem, for names are what is read and resumed by. */
export function collectNames(workflow: Located, problems: Problems): StepNames {
  const steps = new Map<string, Located>();
  const produced = new Set<string>();
  let open = false;
  const visit = (step: Located | undefined): void => {
    if (step?.kind !== "map") return;
    const name = childOf(step, "name");
    if (name?.kind === "scalar" && typeof name.value === "string") {
      const first = steps.get(name.value);
      if (first !== undefined && first.start !== name.start) {
        const { line } = first.source.positionOf(first.start);
        problems.add(
          "duplicate-name",
          name,
          `the step \`${short(name.value)}\` is there already, in line ${line}`,
          "names are unique in a workflow",
        );
      } else if (first !== undefined) {
        problems.add(
          "duplicate-name",
          step,
          `the step \`${short(name.value)}\` is repeated by an alias`,
          "names are unique in a workflow: give the copy a `name` of its own beside `<<`",
        );
      } else steps.set(name.value, name);
    }
    open = collectOutputs(step, produced) || open;
    for (const list of listsOf(step)) if (list.kind === "list") list.items.forEach(visit);
    for (const hook of hooks) visit(childOf(step, hook));
  };
  const list = childOf(workflow, "steps");
  if (list?.kind === "list") list.items.forEach(visit);
  for (const hook of hooks) visit(childOf(workflow, hook));
  return { steps: new Set(steps.keys()), produced, open };
}

/** The lists of steps that hang on a step, hooks aside. */
function* listsOf(step: Located): Generator<Located> {
  for (const key of lists) {
    const list = childOf(step, key);
    if (list !== undefined) yield list;
  }
  const cases = childOf(step, "cases");
  if (cases?.kind === "map") for (const { value } of cases.entries.values()) yield value;
  const reminders = childOf(childOf(childOf(step, "config"), "remind"), "do");
  if (reminders !== undefined) yield reminders;
}

/** Gives whether the step may have outputs that cannot be told. */
function collectOutputs(step: Located, produced: Set<string>): boolean {
  for (const key of ["outputs", "inputs"]) {
    const declared = childOf(step, key);
    if (declared?.kind === "map") for (const name of declared.entries.keys()) produced.add(name);
    for (const output of declared?.kind === "list" ? declared.items : []) {
      const name = childOf(output, "name");
      if (name?.kind === "scalar" && typeof name.value === "string") produced.add(name.value);
    }
  }
  const as = childOf(step, "as");
  if (as?.kind === "scalar" && typeof as.value === "string") produced.add(as.value);
  const type = childOf(step, "type");
  const config = childOf(step, "config");
  const programs = [childOf(step, "run"), childOf(config, "run"), childOf(config, "script")];
  for (const program of programs) {
    if (program?.kind === "scalar" && typeof program.value === "string") collectFromProgram(program.value, produced);
  }
  const set = childOf(config, "set");
  if (set?.kind === "map") for (const name of set.entries.keys()) produced.add(name);
  if (type?.kind === "scalar" && type.value === "http") {
    for (const name of ["status", "headers", "body", "url"]) produced.add(name);
  }
  if (childOf(config, "file") !== undefined) return true;
  const typeName = type?.kind === "scalar" ? type.value : undefined;
  return typeof typeName === "string" && !closedTypes.has(typeName);
}

/** Types whose outputs a file tells. */
const closedTypes = new Set([
  "shell",
  "deno",
  "if",
  "while",
  "do_while",
  "saga",
  "for_each",
  "decide",
  "delay",
  "sleep_until",
  "end",
  "fail",
  "log",
  "transform",
  "http",
  "wait_for",
  "wait_for_any",
  "wait_for_all",
]);

/** `##wfe[output name=...]`, `name=... >> $WFE_OUTPUT`, `Wfe.setOutput("name", ...)`: any word that could be a name before an `=` or in quotes. */
function collectFromProgram(program: string, produced: Set<string>): void {
  if (!/wfe\[output|WFE_OUTPUT|setOutput|output\s*\(/.test(program)) return;
  for (const match of program.matchAll(/([A-Za-z_][\w.-]*)\s*(?:=|<<)|["'`]([A-Za-z_][\w.-]*)["'`]/g)) {
    produced.add(match[1] ?? match[2] ?? "");
  }
}
