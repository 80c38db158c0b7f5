import type { CreatedWorkflow, NewWorkflow, Run } from "@wfe/core/providers";
import { InvalidOptionError, recordFormat } from "@wfe/core/providers";
import type { Definition, KnownDefinitions } from "./definitions.ts";
import { checkName, checkText } from "./text.ts";

/** What `wfe_create` gives. */
export interface CreatedRows {
  readonly created: readonly (readonly [
    created: boolean,
    run: Run,
    uid: string,
    definitionId: string,
    version: number,
  ])[];
  readonly woken: readonly Run[] | null;
  /** Whether one begins later. */
  readonly later: boolean;
}

export function definitionOf({ definitionId, version, definitionHash }: NewWorkflow): Definition {
  return { id: definitionId, version, hash: definitionHash, format: recordFormat };
}

/** Workflows as `wfe_create` takes them, each id once, and for each workflow of the list its place among those. */
export function createItems(
  workflows: readonly NewWorkflow[],
  definitions: KnownDefinitions,
): { readonly items: object[]; readonly places: readonly number[] } {
  const items: object[] = [];
  const placeOf = new Map<string, number>();
  const places = workflows.map((workflow) => {
    const key = `${workflow.namespace}\0${workflow.id}`;
    const known = placeOf.get(key);
    if (known !== undefined) return known;
    placeOf.set(key, items.length);
    items.push(itemOf(workflow, items.length, definitions));
    return items.length - 1;
  });
  return { items, places };
}

function itemOf(workflow: NewWorkflow, place: number, definitions: KnownDefinitions): object {
  const { parent, firstTurn, tags } = workflow;
  return {
    place,
    namespace: workflow.namespace,
    id: workflow.id,
    uid: workflow.uid,
    definition: definitions.numberOf(definitionOf(workflow)),
    priority: workflow.priority,
    ...(tags.length === 0 ? {} : { tags }),
    ...(workflow.startAt === null ? {} : { startAt: workflow.startAt }),
    start: workflow.startText,
    ...(parent === null ? {} : { parentRun: parent.run, parentPointer: parent.pointer }),
    ...(firstTurn === null ? {} : { turn: firstTurn.turn, entries: firstTurn.entriesText, host: firstTurn.host }),
  };
}

/** The answers, in the order of the list. */
export function createdOf(
  workflows: readonly NewWorkflow[],
  places: readonly number[],
  { created }: CreatedRows,
): CreatedWorkflow[] {
  return workflows.map((workflow, at) => {
    const [, run, uid, definitionId, version] = created[places[at] ?? 0] ?? missing();
    // A start that was sent twice is one start.
    return { created: uid === workflow.uid, run, uid, definitionId, version };
  });
}

function missing(): never {
  throw new TypeError("the store gave too few workflows");
}

export function checkWorkflow(workflow: NewWorkflow): void {
  checkName(workflow.namespace, "a namespace");
  checkName(workflow.id, "a workflow's id");
  if (workflow.id.trim() === "") throw new InvalidOptionError("a workflow's id is blank: give it some characters");
  checkName(workflow.definitionId, "a definition's id");
  checkText(workflow.definitionHash, "a definition's hash");
  checkText(workflow.uid, "a workflow's uid");
  checkText(workflow.startText, "what a workflow starts with");
  for (const tag of workflow.tags) checkName(tag, "a tag");
  if (workflow.firstTurn !== null) {
    checkText(workflow.firstTurn.entriesText, "a turn");
    checkText(workflow.firstTurn.turn, "a turn's id");
    checkText(workflow.firstTurn.host, "a host's name");
  }
}
