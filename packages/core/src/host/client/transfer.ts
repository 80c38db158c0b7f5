import { decode, encode } from "../../codec/index.ts";
import {
  decodeEntries,
  encodeEntries,
  evolveTurn,
  initialState,
  summarize,
  emptySummary,
  type Entry,
  type WorkflowIdentity,
  type WorkflowState,
} from "../../engine/index.ts";
import { encodeState } from "../../engine/records.ts";
import { streamKey } from "../../engine/state.ts";
import {
  CorruptedRecordError,
  InvalidOptionError,
  NewerFormatError,
  WorkflowIdConflictError,
  WorkflowNotFoundError,
} from "../../errors.ts";
import type { Run, Subscription } from "../../providers/records.ts";
import { rowOf } from "../core/row-record.ts";
import { decodeStartRecord, encodeStartRecord } from "../core/start-record.ts";
import type { ClientShared } from "./client-shared.ts";
import { checkObject, refuseUnknown } from "./host-options.ts";
import { turnTimes } from "./imported.ts";
import { journalPages } from "./journal-pages.ts";
import { checkId } from "./names.ts";
import type { WorkflowKey } from "./workflow-end.ts";

/** The newest format of a file that this version writes and reads. */
const fileFormat = 1;

/** Options of an import. */
export interface ImportOptions {
  /**
   * Another id than the file's: the workflow is then a copy, and its steps get idempotency keys of their own. With the file's own id
   * it is the same workflow, moved: it keeps its keys, and must not go on in both places.
   */
  readonly id?: string;
}

/** The first line of a file. */
export interface Header {
  readonly wfe: "workflow";
  readonly format: number;
  readonly id: string;
  readonly namespace: string;
  readonly definitionId: string;
  readonly version: number;
  readonly definitionHash: string;
  readonly priority: number;
  readonly tags: readonly string[];
  readonly start: unknown;
  readonly exportedAt: number;
}

/** One line of a turn. */
interface TurnLine {
  readonly seq: number;
  readonly at: number;
  readonly host: string;
  readonly entries: unknown;
}

/**
 * A workflow as a file: JSON lines, the first of them about the workflow, then one for each turn of its history, the last with their
 * number. Values are written as they are stored.
 */
export async function* exportLines(shared: ClientShared, key: WorkflowKey): AsyncGenerator<string, void, undefined> {
  const row = await shared.store.find({ namespace: key.namespace, id: checkId(key.id) });
  if (row === undefined) throw new WorkflowNotFoundError(key.id, key.namespace);
  const { id, namespace, definitionId, version, definitionHash, priority, tags } = row;
  const header: Header = {
    wfe: "workflow",
    format: fileFormat,
    id,
    namespace,
    definitionId,
    version,
    definitionHash,
    priority,
    tags,
    start: JSON.parse(encode(decodeStartRecord(row.startText).data)) as unknown,
    exportedAt: shared.core.engineNow(),
  };
  yield `${JSON.stringify(header)}\n`;
  const timeOf = turnTimes(row);
  let seq = -1;
  for await (const turns of journalPages(shared.core.providers.persistence, row.run)) {
    for (const turn of turns) {
      // What is stored is JSON already.
      const head = JSON.stringify({ seq: turn.seq, at: timeOf(turn), host: turn.host });
      yield `${head.slice(0, -1)},"entries":${turn.entriesText}}\n`;
      ({ seq } = turn);
    }
  }
  yield `${JSON.stringify({ turns: seq + 1 })}\n`;
}

/**
 * Stores the workflow of a file, with its history, and gives its id. One that had not ended is suspended, so that nothing runs
 * before somebody says so.
 *
 * Nothing is stored where the id is taken, the file is cut or of a newer format, or its history does not fit together.
 */
export async function importFile(
  shared: ClientShared,
  namespace: string,
  file: string | Uint8Array,
  options: ImportOptions,
  actor: string | undefined,
): Promise<string> {
  checkObject("the options of an import", options);
  refuseUnknown("the options of an import", options, ["id"]);
  const { header, turns } = readFile(file);
  const id = options.id === undefined ? checkId(header.id) : checkId(options.id);
  const moved = id === header.id;
  const state = foldAll(turns);
  const { runtime, engineNow, hostName, providers } = shared.core;
  const uid = moved ? state.identity.uid : runtime.randomId();
  // The parent is in another store, or waits for the original.
  const { parent: _, ...own } = state.identity;
  const identity: WorkflowIdentity = { ...own, id, namespace, uid, parent: null };
  const created = await shared.store.create({
    namespace,
    id,
    uid,
    definitionId: identity.definitionId,
    version: identity.version,
    definitionHash: identity.definitionHash,
    priority: identity.priority,
    tags: identity.tags,
    // Nobody is to take it before all of it is here.
    startAt: farAway,
    startText: encodeStartRecord({
      data: decode(JSON.stringify(header.start ?? {})),
      depth: identity.depth,
      importedTimes: turns.map(({ at }) => at),
    }),
    parent: null,
    firstTurn: turnOf(uid, turns[0], 0),
  });
  if (!created.created) throw taken(id, namespace);
  const [row] = await providers.persistence.find(namespace, [id]);
  if (row === undefined || (row.status !== "runnable" && row.dueAt !== farAway)) throw taken(id, namespace);
  // By the clock of the store it is not before the row was made.
  const importedAt = Math.max(engineNow(), row.createdAt);
  const entries: readonly Entry[] = [
    { kind: "workflow-imported", identity, importedAt, ...(actor === undefined ? {} : { actor }) },
  ];
  const last = { seq: state.seq + 1, entries };
  const imported = evolveTurn(state, last);
  const common = { run: created.run, claim: row.claim, namespace };
  for (const [index, turn] of turns.entries()) {
    if (index === 0) continue;
    await append(shared, { ...common, seq: index, ...turnOf(uid, turn, index) });
  }
  await append(shared, {
    ...common,
    seq: last.seq,
    turn: `${uid}.imported`,
    host: hostName,
    entriesText: encodeEntries(entries),
    subscribe: subscriptionsOf(imported),
    row: rowOf(imported, { dueAt: null, release: true, notedSignals: row.signals }),
    checkpoint: { seq: last.seq, stateText: encodeState(imported, summaryOf([...turns, last])) },
  });
  shared.wake([created.run]);
  return id;
}

/** The year 9999. */
const farAway = 253_370_764_800_000;

function turnOf(
  uid: string,
  turn: TurnLine | undefined,
  index: number,
): { readonly turn: string; readonly host: string; readonly entriesText: string } {
  // Ids that tell of a repeated import, which goes on where it was broken off.
  return { turn: `${uid}.import.${index}`, host: turn?.host ?? "", entriesText: JSON.stringify(turn?.entries ?? []) };
}

async function append(
  shared: ClientShared,
  turn: Parameters<ClientShared["core"]["providers"]["persistence"]["commit"]>[0][number] & {
    readonly turn: string;
    readonly run: Run;
  },
): Promise<void> {
  const { persistence } = shared.core.providers;
  const [result] = await shared.store.persistently(() => persistence.commit([turn]));
  if (result?.outcome === "applied" || (result?.outcome === "conflict" && result.turn === turn.turn)) return;
  if (result?.outcome === "failed") throw result.error;
  throw new CorruptedRecordError(
    "something else has written to the workflow while it was imported: terminate it, and import it under another id",
  );
}

function taken(id: string, namespace: string): WorkflowIdConflictError {
  return new WorkflowIdConflictError(
    `there is a workflow \`${id}\` already, so nothing was imported: give the copy another id by \`{ id }\``,
    { workflowId: id, namespace },
  );
}

/** A file with its turns decoded. */
export function readWorkflowFile(file: string | Uint8Array): {
  readonly header: Header;
  readonly turns: readonly { readonly seq: number; readonly at: number; readonly entries: readonly Entry[] }[];
} {
  const { header, turns } = readFile(file);
  return {
    header,
    turns: turns.map(({ seq, at, entries }) => ({ seq, at, entries: decodeEntries(JSON.stringify(entries)) })),
  };
}

function readFile(file: string | Uint8Array): { readonly header: Header; readonly turns: readonly TurnLine[] } {
  if (typeof file !== "string" && !(file instanceof Uint8Array))
    throw new InvalidOptionError("an exported workflow is imported from its text, or its bytes");
  const text = typeof file === "string" ? file : new TextDecoder().decode(file);
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const [first, ...rest] = lines.map((line, index) => parseLine(line, index));
  const header = first as Partial<Header> | undefined;
  if (header?.wfe !== "workflow" || typeof header.format !== "number" || typeof header.id !== "string")
    throw unreadable("its first line is not that of an exported workflow");
  if (header.format > fileFormat)
    throw new NewerFormatError(
      `the file has format ${header.format}, this version reads up to ${fileFormat}: upgrade this process`,
    );
  const end = rest.pop() as { readonly turns?: unknown } | undefined;
  const turns = rest as TurnLine[];
  if (typeof end?.turns !== "number" || end.turns !== turns.length)
    throw unreadable("its end is missing: it was not written, or not copied, to the end");
  if (turns.length === 0) throw unreadable("the workflow had not begun, so there is no history: start it anew");
  for (const [index, turn] of turns.entries())
    if (
      turn.seq !== index ||
      typeof turn.at !== "number" ||
      typeof turn.host !== "string" ||
      !Array.isArray(turn.entries)
    )
      throw unreadable(`line ${index + 2} is not turn ${index}`);
  return { header: header as Header, turns };
}

function parseLine(line: string, index: number): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (cause) {
    throw new CorruptedRecordError(`line ${index + 1} of the file is no JSON: export the workflow again`, { cause });
  }
}

function unreadable(why: string): CorruptedRecordError {
  return new CorruptedRecordError(`the file cannot be imported, ${why}: export the workflow again`);
}

function foldAll(turns: readonly TurnLine[]): WorkflowState {
  return turns.reduce(
    (state, turn) => evolveTurn(state, { seq: turn.seq, entries: decodeEntries(JSON.stringify(turn.entries)) }),
    initialState(),
  );
}

function summaryOf(turns: readonly { readonly entries: unknown }[]): ReturnType<typeof emptySummary> {
  const summary = emptySummary();
  for (const { entries } of turns)
    for (const entry of decodeEntries(JSON.stringify(entries))) summarize(summary, entry);
  return summary;
}

function subscriptionsOf({ pointers, branches, lines }: WorkflowState): readonly Subscription[] {
  const subscriptions = new Map<string, Subscription>();
  for (const { id, wait, status, branch } of pointers.values()) {
    if (wait === null || status !== "waiting") continue;
    const cursors = lines.get(branches.get(branch)?.line ?? -1)?.cursors ?? {};
    for (const { name, key } of wait.streams)
      subscriptions.set(`${id}\0${streamKey(name, key)}`, {
        pointer: id,
        name,
        key,
        after: cursors[streamKey(name, key)] ?? 0,
      });
  }
  return [...subscriptions.values()];
}
