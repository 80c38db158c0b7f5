import type { CreatedWorkflow, NewWorkflow, Run } from "@wfe/core/providers";
import { InvalidOptionError, recordFormat } from "@wfe/core/providers";
import { numberOf } from "./definitions.ts";
import { isItemError } from "./errors.ts";
import { rowsPerInsert, type Session } from "./session.ts";
import { checkName, checkText } from "./text.ts";

interface Existing {
  readonly run: number;
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
}

const columns = `(run, due_at, definition, status, priority, created_at, updated_at, parent_run, parent_pointer, namespace, id,
  uid, tags)`;

/** Stores workflows, in the transaction that is open; those whose id is taken are described. */
export function createWorkflows(session: Session, workflows: readonly NewWorkflow[]): CreatedWorkflow[] {
  for (const workflow of workflows) checkWorkflow(workflow);
  const created: CreatedWorkflow[] = [];
  for (let start = 0; start < workflows.length; start += rowsPerInsert) {
    const some = workflows.slice(start, start + rowsPerInsert);
    const runs = some.length === rowsPerInsert ? insertTogether(session, some) : undefined;
    const rest: NewRun[] = [];
    for (const [place, workflow] of some.entries()) {
      const run = runs === undefined ? insertAlone(session, workflow) : runs[place];
      if (run !== undefined) rest.push({ run, workflow });
      const { namespace, id, uid, definitionId, version } = workflow;
      created.push(
        run === undefined ? describe(session, namespace, id, uid) : { created: true, run, uid, definitionId, version },
      );
    }
    insertRest(session, rest);
  }
  return created;
}

interface NewRun {
  readonly run: Run;
  readonly workflow: NewWorkflow;
}

/** Gives their numbers; undefined, and nothing is inserted, where the id of one is taken. */
function insertTogether(session: Session, workflows: readonly NewWorkflow[]): readonly Run[] | undefined {
  const last = session.value<Run>("SELECT seq FROM sqlite_sequence WHERE name = 'wfe_workflows'") ?? 0;
  const runs = workflows.map((_, place) => last + 1 + place);
  try {
    session.insertAll(
      `wfe_workflows ${columns}`,
      workflows.map((workflow, place) => valuesOf(session, workflow, runs[place] ?? null)),
    );
    return runs;
  } catch (error) {
    if (!isItemError(error)) throw error;
    return undefined;
  }
}

/** Undefined where its id is taken. */
function insertAlone(session: Session, workflow: NewWorkflow): Run | undefined {
  const values = valuesOf(session, workflow, null);
  const insert = `INSERT INTO wfe_workflows ${columns} VALUES (${values.map(() => "?").join(", ")}) ON CONFLICT DO NOTHING`;
  return session.insert(insert, ...values);
}

function valuesOf(session: Session, workflow: NewWorkflow, run: Run | null): readonly unknown[] {
  const { definitionId, version, definitionHash, parent, tags } = workflow;
  const now = session.now();
  const definition = { id: definitionId, version, hash: definitionHash, format: recordFormat };
  return [
    run,
    workflow.startAt ?? now,
    numberOf(session, definition),
    "runnable",
    workflow.priority,
    now,
    now,
    parent?.run ?? null,
    parent?.pointer ?? null,
    workflow.namespace,
    workflow.id,
    workflow.uid,
    tags.length === 0 ? null : JSON.stringify(tags),
  ];
}

/** What goes with the rows of new workflows. */
function insertRest(session: Session, created: readonly NewRun[]): void {
  const now = session.now();
  const heads = created.map(({ run, workflow }) => {
    const last = workflow.firstTurn === null ? null : insertFirstTurn(session, run, workflow.firstTurn, now);
    return [run, last === null ? -1 : 0, last];
  });
  session.insertAll("wfe_heads (run, seq, last)", heads);
  session.insertAll(
    "wfe_starts (run, text)",
    created.map(({ run, workflow }) => [run, workflow.startText]),
  );
  session.insertAll(
    "wfe_tags (namespace, tag, created_at, run)",
    created.flatMap(({ run, workflow }) =>
      [...new Set(workflow.tags)].map((tag) => [workflow.namespace, tag, now, run]),
    ),
  );
  for (const { run, workflow } of created) {
    session.touched.add(run);
    // One that begins later is woken by nobody, but whoever sleeps until the next due time has to look again.
    if (workflow.startAt !== null && workflow.startAt > now) session.changed = true;
    else session.woken.add(run);
  }
}

function insertFirstTurn(
  session: Session,
  run: Run,
  { turn, entriesText, host }: NonNullable<NewWorkflow["firstTurn"]>,
  now: number,
): number | null {
  const append = "INSERT INTO wfe_turns (previous, run, seq, turn, at, host, entries) VALUES (NULL, ?, 0, ?, ?, ?, ?)";
  return session.insert(append, run, turn, now, host, entriesText) ?? null;
}

function describe(session: Session, namespace: string, id: string, uid: string): CreatedWorkflow {
  const existing = session.get<Existing>(
    `SELECT w.run, w.uid, d.id AS definitionId, d.version
     FROM wfe_workflows w JOIN wfe_definitions d ON d.definition = w.definition WHERE w.namespace = ? AND w.id = ?`,
    namespace,
    id,
  );
  if (existing === undefined) throw new TypeError("a row that was in the way is not there");
  // A start that was sent twice is one start.
  return { created: existing.uid === uid, ...existing };
}

function checkWorkflow(workflow: NewWorkflow): void {
  checkName(workflow.namespace, "a namespace");
  checkName(workflow.id, "a workflow's id");
  if (workflow.id.trim() === "") throw new InvalidOptionError("a workflow's id is blank: give it some characters");
  checkName(workflow.definitionId, "a definition's id");
  checkText(workflow.startText, "what a workflow starts with");
  for (const tag of workflow.tags) checkName(tag, "a tag");
  if (workflow.firstTurn !== null) checkText(workflow.firstTurn.entriesText, "a turn");
}
