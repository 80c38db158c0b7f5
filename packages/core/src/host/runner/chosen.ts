import { decodeEntries } from "../../engine/records.ts";
import { CorruptedRecordError, NewerFormatError } from "../../errors.ts";
import type { ClaimedWorkflow } from "../../providers/persistence-provider.ts";
import { finalStatuses, type Run, type StoredTurn, type WorkflowRow } from "../../providers/records.ts";
import { journalPages } from "../client/journal-pages.ts";
import type { HostCore, OnlyThese } from "../core/host-core.ts";

/** One of them, as it was when it was read last. */
interface Known {
  readonly id: string;
  readonly run: Run;
  /** When it is due, where it is free; null: nothing is known of that. */
  dueAt: number | null;
  isFinal: boolean;
  /** Up to which turn its journal was searched for children. */
  searchedTo: number;
  /** The claim under which no turn can have come since; undefined: somebody has it in hand. */
  searchedAs: number | undefined;
}

/**
 * The workflows of a host that takes only some: those that its option names, and their children.
 *
 * A workflow knows its children by its journal alone. Those that it starts here are told; the journal is read where another host
 * has had it.
 */
export class Chosen {
  readonly #core: HostCore;
  readonly #namespace: string;
  readonly #named: ReadonlySet<string>;
  readonly #inHand: (run: Run) => boolean;
  readonly #byId: Map<string, Known> = new Map();
  readonly #byRun: Map<Run, Known> = new Map();
  /** Ids whose rows are to be read: nothing was found of them, or it may have changed. */
  readonly #unread: Set<string>;

  constructor(core: HostCore, { namespace, ids }: OnlyThese, inHand: (run: Run) => boolean) {
    this.#core = core;
    this.#namespace = namespace;
    this.#named = new Set(ids);
    this.#unread = new Set(ids);
    this.#inHand = inHand;
  }

  /** Those that are there. Reads what has changed. */
  async runs(): Promise<readonly Run[]> {
    const { batch } = this.#core.options.limits;
    const asked = new Set<string>();
    for (let ids = [...this.#unread]; ids.length > 0; ids = [...this.#unread].filter((id) => !asked.has(id))) {
      for (const id of ids) asked.add(id);
      for (let first = 0; first < ids.length; first += batch) {
        const some = ids.slice(first, first + batch);
        const rows = await this.#core.providers.persistence.find(this.#namespace, some);
        for (const row of rows) if (row !== undefined && this.#isMeant(row)) await this.#note(row);
      }
    }
    return [...this.#byRun.keys()];
  }

  /** When the next of them is due; null: not known. */
  nextDueAt(): number | null {
    let next: number | null = null;
    for (const { dueAt } of this.#byRun.values()) if (dueAt !== null && (next === null || dueAt < next)) next = dueAt;
    return next;
  }

  /** Another host may have had them in hand, or have started their children. */
  lookAgain(): void {
    for (const { id, isFinal } of this.#byId.values()) if (!isFinal || this.#named.has(id)) this.#unread.add(id);
  }

  /** Children of workflows in hand were stored. */
  created(ids: readonly string[]): void {
    for (const id of ids) this.#unread.add(id);
  }

  taken(claimed: readonly ClaimedWorkflow[]): void {
    for (const { row } of claimed) this.#setDue(row.run, null);
  }

  /** It was let go until then; undefined: that is not known. */
  released(run: Run, dueAt: number | null | undefined): void {
    const known = this.#byRun.get(run);
    if (dueAt === undefined && known !== undefined) this.#unread.add(known.id);
    this.#setDue(run, dueAt ?? null);
  }

  #setDue(run: Run, dueAt: number | null): void {
    const known = this.#byRun.get(run);
    if (known !== undefined) known.dueAt = dueAt;
  }

  /** An id that is made of its parent's may be somebody else's. */
  #isMeant({ id, parent }: WorkflowRow): boolean {
    return this.#named.has(id) || (parent !== null && this.#byRun.has(parent.run));
  }

  async #note(row: WorkflowRow): Promise<void> {
    const { id, run, owner, claim, status } = row;
    let known = this.#byId.get(id);
    if (known?.run !== run) {
      if (known !== undefined) this.#byRun.delete(known.run);
      known = { id, run, dueAt: null, isFinal: false, searchedTo: -1, searchedAs: undefined };
      this.#byId.set(id, known);
      this.#byRun.set(run, known);
    }
    // What cannot be run here stays due: to be woken for it would never end.
    const isRunHere = this.#core.registry.running(row.definitionId, row.version, row.definitionHash) !== undefined;
    known.dueAt = owner === null && isRunHere ? row.dueAt : null;
    known.isFinal = finalStatuses.includes(status);
    // What it does in hand is told.
    if (!this.#inHand(run) && known.searchedAs !== claim) {
      await this.#search(known);
      known.searchedAs = owner === null ? claim : undefined;
    }
    this.#unread.delete(id);
  }

  async #search(known: Known): Promise<void> {
    const { persistence } = this.#core.providers;
    for await (const turns of journalPages(persistence, known.run, { from: known.searchedTo + 1 })) {
      for (const turn of turns) {
        this.created(startedIn(turn).filter((id) => !this.#byId.has(id)));
        known.searchedTo = turn.seq;
      }
    }
  }
}

/** The children that a turn has started. */
function startedIn({ entriesText }: StoredTurn): readonly string[] {
  try {
    return decodeEntries(entriesText).flatMap((entry) => (entry.kind === "child-started" ? [entry.childId] : []));
  } catch (error) {
    // Whoever takes the workflow itself in hand says what is wrong with it.
    if (error instanceof CorruptedRecordError || error instanceof NewerFormatError) return [];
    throw error;
  }
}
