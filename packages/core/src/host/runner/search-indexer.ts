import { performance } from "node:perf_hooks";
import { storeError } from "../../engine/stored-error.ts";
import { WfeError } from "../../errors.ts";
import type { Lease } from "../../providers/lock-provider.ts";
import type { SearchChange } from "../../providers/search-index.ts";
import type { OutboxRow } from "../../providers/search-outbox.ts";
import type { Timer } from "../../runtime/runtime.ts";
import { systemClock } from "../../runtime/system-runtime.ts";
import type { HostCore, IndexerStats, SearchFeed } from "../core/host-core.ts";
import { readDocument } from "../core/read-document.ts";
import { noteProgress, noteRebuild, readNote, type SearchNote } from "../core/search-note.ts";

/** Rows looked at for one batch: those of one workflow are one document. */
const rowsAtOnce = 1_000;
/** Documents of one batch, fewer while there are workflows in hand, whose next steps wait for it. */
const batchDocuments = 200;
const batchBesideWork = 25;
/** Workflows in memory at once, with all their data. */
const loadedAtOnce = 20;
/** Bytes of terms that make a batch large enough. */
const batchBytes = 4 * 1024 * 1024;
/** Work that may be done before others get a turn. */
const sliceMs = 4;
/** How often the outbox is looked at when it was empty. */
const idleMs = 400;
/** How often a host that does not feed the index looks whether it is to. */
const standbyMs = 5_000;
/** While there are workflows in hand indexing takes one part of this thread in so many, and still less where it is busy. */
const share = 5;
const busyShare = 60;
const longestBusyPauseMs = 3_000;
/** Above this share of its time at work, the thread is busy. */
const busyAbove = 0.6;
const firstPauseMs = 500;
const longestPauseMs = 10_000;

export interface SearchIndexerOptions {
  readonly lease: () => Lease | undefined;
  /** How many workflows are in hand. */
  readonly inHand: () => number;
}

/**
 * Feeds the search index from the store's outbox, on one host of all: whoever holds the role. What an index does to it (fails,
 * hangs, answers late) reaches nobody else: nothing waits for it, and what is in memory is one batch.
 *
 * Two that believe they hold the role do no harm: the revision of a change is the number of its row in the outbox, and an index
 * keeps the highest.
 */
export class SearchIndexer {
  readonly #core: HostCore;
  readonly #feed: SearchFeed;
  readonly #lease: () => Lease | undefined;
  readonly #inHand: () => number;
  #timer: Timer | undefined;
  #stopped = false;
  /** The lease under which the role was taken. */
  #roleLease: Lease | undefined;
  /** What the index says of itself; undefined: it is to be asked. */
  #attached: string | undefined;
  #failures = 0;
  #refused = 0;
  #state: IndexerStats["state"] = "starting";
  #error: Error | undefined;
  /** What the batch under way has taken of this thread. */
  #spentMs = 0;
  #utilization: ReturnType<typeof performance.eventLoopUtilization> | undefined;

  constructor(core: HostCore, feed: SearchFeed, { lease, inHand }: SearchIndexerOptions) {
    this.#core = core;
    this.#feed = feed;
    this.#lease = lease;
    this.#inHand = inHand;
  }

  get stats(): IndexerStats {
    return { state: this.#state, refused: this.#refused, error: this.#error };
  }

  start(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.cancel();
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    const { clock } = this.#core.runtime;
    const round = (): void =>
      void clock.track(this.#round(), "engine").then(
        (pauseMs) => this.#schedule(pauseMs),
        // Whatever it was, the index is not to stay as it is until the host is made anew.
        () => this.#schedule(longestPauseMs),
      );
    this.#timer = clock.setTimer(delayMs, round, { background: true });
  }

  /** Gives when the next one is to be; what fails in it is told, and tried again. */
  async #round(): Promise<number> {
    try {
      const pauseMs = await this.#work();
      this.#failures = 0;
      this.#error = undefined;
      return pauseMs;
    } catch (error) {
      if (this.#stopped) return 0;
      this.#failures += 1;
      this.#attached = undefined;
      this.#error = error instanceof Error ? error : new WfeError("SEARCH_FAILED", storeError(error).message);
      if (this.#failures === 1)
        this.#core.log.warn("the search index is not fed; workflows go on, and it is tried again", { error });
      return Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures - 1, 10));
    }
  }

  async #work(): Promise<number> {
    const note = await this.#role();
    if (note === undefined) return standbyMs;
    const beside = this.#inHand() > 0;
    const isBusy = this.#isBusy();
    const limit = beside ? batchBesideWork : batchDocuments;
    this.#spentMs = 0;
    const rows = await this.#feed.outbox.read(rowsAtOnce);
    const byRun = Map.groupBy(rows, (row) => row.run);
    const batch = [...byRun.values()].slice(0, limit);
    if (batch.length > 0) await this.#index(batch);
    const refills = note.refilled !== null && batch.length < limit;
    if (refills) await this.#refill(note, limit);
    if (batch.length < limit && !refills) return idleMs;
    return beside ? Math.min(longestBusyPauseMs, this.#spentMs * (isBusy ? busyShare : share)) : 0;
  }

  /** The note, where this host is the one to feed the index it names. */
  async #role(): Promise<SearchNote | undefined> {
    const lease = this.#lease();
    if (lease === undefined) return undefined;
    const { index } = this.#feed;
    // Read anew each time: a rebuild is noted there, whoever asks for it.
    let note = (await readNote(this.#feed)) ?? (await noteRebuild(this.#core, this.#feed, null));
    if (note.index !== index.name) return this.#standBack(note, lease);
    if (this.#roleLease !== lease) {
      const [mine] = await this.#core.providers.lock.acquire([roleKey], lease);
      this.#state = mine === true ? "indexing" : "standby";
      if (mine !== true) return undefined;
      this.#roleLease = lease;
    }
    this.#state = "indexing";
    if (this.#attached === undefined || this.#attached !== note.attached) {
      this.#attached = await index.attach(note.store);
      if (note.missed === true) {
        await index.clear();
        this.#attached = await index.attach(note.store);
      }
      // Noted with it, so that nobody who dies in between leaves an empty index behind that seems to be complete.
      if (this.#attached !== note.attached) note = await noteRebuild(this.#core, this.#feed, this.#attached);
    }
    return note;
  }

  /** Another index is the one: what this one would take from the outbox, that one would miss. */
  async #standBack(note: SearchNote, lease: Lease): Promise<undefined> {
    if (this.#state !== "other-index") {
      this.#core.log.warn(
        `the hosts of this store feed the search index \`${note.index}\`, and this host has \`${this.#feed.index.name}\`: give every host the same providers, or move to this one with \`reindex()\``,
        {},
      );
    }
    this.#state = "other-index";
    if (this.#roleLease === lease) await this.#core.providers.lock.release([roleKey], lease);
    this.#roleLease = undefined;
    return undefined;
  }

  /** Indexes workflows, each given by its rows, and deletes the rows. */
  async #index(batch: readonly (readonly OutboxRow[])[]): Promise<void> {
    // What a workflow is now is as new as its last row.
    const pending = batch.flatMap((rows) => rows.at(-1) ?? []);
    const places = new Map(batch.map((rows) => [rows[0]?.run, rows.map(({ place }) => place)]));
    while (pending.length > 0) {
      const changes = await this.#read(pending);
      const results = await this.#spend(() => this.#feed.index.write(changes));
      for (const [number, result] of results.entries()) {
        if (result.outcome === "refused") this.#refuse(changes[number], result.error);
      }
      const done = changes.flatMap(({ run }) => places.get(run) ?? []);
      await this.#spend(() => this.#feed.outbox.remove(done));
    }
  }

  /** Counts what a call takes of this thread: the waiting for its answer is not among it. */
  #spend<Result>(call: () => Promise<Result>): Promise<Result> {
    const { clock } = this.#core.runtime;
    const begunAt = clock.monotonic();
    const answer = call();
    this.#spentMs += clock.monotonic() - begunAt;
    return answer;
  }

  /** Takes from the list as many as make a batch. */
  async #read(pending: OutboxRow[]): Promise<readonly SearchChange[]> {
    const { clock } = this.#core.runtime;
    const changes: SearchChange[] = [];
    let bytes = 0;
    let sliceAt = clock.monotonic();
    while (pending.length > 0 && bytes < batchBytes) {
      const some = pending.splice(0, loadedAtOnce);
      const runs = some.map(({ run }) => run);
      const loaded = await this.#spend(() => this.#core.providers.persistence.load(runs));
      for (const [number, { run, place }] of some.entries()) {
        const workflow = loaded[number];
        const begunAt = clock.monotonic();
        const document = workflow === undefined ? null : readDocument(workflow, this.#core.registry);
        this.#spentMs += clock.monotonic() - begunAt;
        for (const term of document?.terms ?? []) bytes += term.length;
        changes.push({ run, revision: place, document });
        if (clock.monotonic() - sliceAt < sliceMs) continue;
        await clock.yield();
        sliceAt = clock.monotonic();
      }
    }
    return changes;
  }

  #refuse(change: SearchChange | undefined, error: Error): void {
    this.#refused += 1;
    const workflowId = change?.document?.id;
    this.#core.log.error("the search index refuses a workflow: no search will find it", { error, workflowId });
  }

  async #refill(note: SearchNote, limit: number): Promise<void> {
    const last = await this.#feed.outbox.refill(note.refilled ?? 0, limit);
    await noteProgress(this.#feed, note, last);
  }

  /** Whether this thread had hardly a moment since it was asked last. A clock of its own, as in a test, has no such moments. */
  #isBusy(): boolean {
    if (this.#core.runtime.clock !== systemClock) return false;
    const now = performance.eventLoopUtilization();
    const since =
      this.#utilization === undefined ? undefined : performance.eventLoopUtilization(now, this.#utilization);
    this.#utilization = now;
    return since === undefined || since.utilization > busyAbove;
  }
}

const roleKey = "search";
