import type { CreatedWorkflow, NewWorkflow, Run } from "@wfe/core/providers";
import { InvalidOptionError, recordFormat, StoreError } from "@wfe/core/providers";
import type { Definition, KnownDefinitions } from "./definitions.ts";
import { checkName, checkText } from "./text.ts";

/** What `wfe_create` gives: the runs that are new, of all where `created` is null; else what is there of each. */
export interface CreatedRows {
  readonly now: number;
  readonly fresh: readonly Run[];
  readonly created: readonly (readonly [run: Run, uid: string, definitionId: string, version: number])[] | null;
}

/** Workflows on their way to the store, each id once. */
export interface CreateItems {
  readonly items: readonly object[];
  /** Those that the items are made of. */
  readonly unique: readonly NewWorkflow[];
  /** For each workflow of the list, its place among those. */
  readonly places: readonly number[];
}

export function definitionOf({ definitionId, version, definitionHash }: NewWorkflow): Definition {
  return { id: definitionId, version, hash: definitionHash, format: recordFormat };
}

export function createItems(workflows: readonly NewWorkflow[], definitions: KnownDefinitions): CreateItems {
  const unique: NewWorkflow[] = [];
  const placeOf = new Map<string, number>();
  const places = workflows.map((workflow) => {
    const key = `${workflow.namespace}\0${workflow.id}`;
    let place = placeOf.get(key);
    if (place === undefined) {
      place = unique.push(workflow) - 1;
      placeOf.set(key, place);
    }
    return place;
  });
  return { items: unique.map((workflow, place) => itemOf(workflow, place + 1, definitions)), unique, places };
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
  { unique, places }: CreateItems,
  { fresh, created }: CreatedRows,
): CreatedWorkflow[] {
  return workflows.map((workflow, at) => {
    const place = places[at] ?? 0;
    const there = created?.[place];
    const { uid, definitionId, version } = unique[place] ?? missing();
    // A start that was sent twice is one start.
    if (there === undefined) {
      return { created: uid === workflow.uid, run: fresh[place] ?? missing(), uid, definitionId, version };
    }
    return {
      created: there[1] === workflow.uid,
      run: there[0],
      uid: there[1],
      definitionId: there[2],
      version: there[3],
    };
  });
}

/** Whether one of them begins later. */
export function beginsLater(workflows: readonly NewWorkflow[], { now }: CreatedRows): boolean {
  return workflows.some(({ startAt }) => startAt !== null && startAt > now);
}

/** What the caller of a start has to know where a lock has kept it waiting in vain: all that it waits for is an id. */
export function heldIds(error: unknown, workflows: readonly NewWorkflow[], store: string): unknown {
  if (!(error instanceof StoreError) || !error.blocked) return error;
  const { code, outcome, transient, blocked, cause } = error;
  const [first] = workflows;
  const id =
    workflows.length === 1 ? `the id "${first?.id}"` : `one of ${workflows.length} ids, from "${first?.id}" on,`;
  const text = `another transaction, which is still open, has started a workflow of ${id}: commit it or roll it back (pg_stat_activity shows it as idle in transaction)`;
  return new StoreError(code, `${store}: ${text}`, { outcome, transient, blocked, cause });
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
