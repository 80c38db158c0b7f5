import type { CreatedWorkflow, NewWorkflow } from "@wfe/core/providers";
import { InvalidOptionError, recordFormat } from "@wfe/core/providers";
import { definitionNumber } from "./rows.ts";
import type { Session } from "./session.ts";
import { checkName, checkText } from "./text.ts";

interface Existing {
  readonly run: number;
  readonly uid: string;
  readonly definitionId: string;
  readonly version: number;
}

/** Stores workflows, in the transaction that is open; those whose id is taken are described. */
export function createWorkflows(session: Session, workflows: readonly NewWorkflow[]): CreatedWorkflow[] {
  for (const workflow of workflows) checkWorkflow(workflow);
  return workflows.map((workflow) => createWorkflow(session, workflow));
}

function createWorkflow(session: Session, workflow: NewWorkflow): CreatedWorkflow {
  const { namespace, id, uid, definitionId, version, tags, parent, firstTurn } = workflow;
  const now = session.now();
  const definition = definitionNumber(session, definitionId, version, workflow.definitionHash, recordFormat);
  const run = session.insert(
    `INSERT INTO wfe_workflows (due_at, definition, status, priority, created_at, updated_at, parent_run, parent_pointer,
       namespace, id, uid, tags)
     VALUES (?, ?, 'runnable', ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    workflow.startAt ?? now,
    definition,
    workflow.priority,
    now,
    now,
    parent?.run ?? null,
    parent?.pointer ?? null,
    namespace,
    id,
    uid,
    tags.length === 0 ? null : JSON.stringify(tags),
  );
  if (run === undefined) return describe(session, namespace, id, uid);

  let last: number | null = null;
  if (firstTurn !== null) {
    const { turn, entriesText, host } = firstTurn;
    const append =
      "INSERT INTO wfe_turns (previous, run, seq, turn, at, host, entries) VALUES (NULL, ?, 0, ?, ?, ?, ?)";
    last = session.insert(append, run, turn, now, host, entriesText) ?? null;
  }
  session.run("INSERT INTO wfe_heads (run, seq, last) VALUES (?, ?, ?)", run, last === null ? -1 : 0, last);
  session.run("INSERT INTO wfe_starts (run, text) VALUES (?, ?)", run, workflow.startText);
  for (const tag of new Set(tags)) {
    session.run("INSERT INTO wfe_tags (namespace, tag, created_at, run) VALUES (?, ?, ?, ?)", namespace, tag, now, run);
  }

  // One that begins later is woken by nobody, but whoever sleeps until the next due time has to look again.
  if (workflow.startAt !== null && workflow.startAt > now) session.changed = true;
  else session.woken.add(run);
  return { created: true, run, uid, definitionId, version };
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
