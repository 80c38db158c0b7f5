import { CorruptedRecordError } from "../../errors.ts";
import type { Run } from "../../providers/records.ts";
import type { SearchOutbox } from "../../providers/search-outbox.ts";
import type { HostCore, SearchFeed } from "./host-core.ts";

/** What a store notes about its index, in its outbox. */
export interface SearchNote {
  /** The name of the index that its hosts feed. */
  readonly index: string;
  /** Names the store towards the index: random, for ever. */
  readonly store: string;
  /** What the index said of itself when it was last attached; null: it has not been. */
  readonly attached: string | null;
  /** A rebuild is under way: workflows up to this run are in the outbox already. null: none is. */
  readonly refilled: Run | null;
  /** Hosts without an index have written since: it misses what they did, and may have what they deleted. */
  readonly missed?: true;
}

export async function readNote({ outbox }: SearchFeed): Promise<SearchNote | undefined> {
  const text = await outbox.note();
  return text === null ? undefined : decodeNote(text);
}

/**
 * Notes that this host's index is the one to feed, which one it was when it was attached, and that everything is to be written to
 * it; gives the note.
 */
export async function noteRebuild(core: HostCore, feed: SearchFeed, attached: string | null): Promise<SearchNote> {
  for (;;) {
    const before = await feed.outbox.note();
    const store = before === null ? core.runtime.randomId() : decodeNote(before).store;
    const note: SearchNote = { index: feed.index.name, store, attached, refilled: 0 };
    if (await feed.outbox.replaceNote(before, encodeNote(note))) return note;
  }
}

/** Notes how far a rebuild has come. Nothing, where the note has changed meanwhile: whoever changed it meant something else. */
export async function noteProgress(feed: SearchFeed, note: SearchNote, refilled: Run | null): Promise<void> {
  await feed.outbox.replaceNote(encodeNote(note), encodeNote({ ...note, refilled }));
}

/**
 * Notes that a host without an index writes to the store, which keeps nothing for one: the next host that has it begins anew.
 * Nothing, where no index has ever been fed.
 */
export async function noteMissed(outbox: SearchOutbox): Promise<void> {
  for (;;) {
    const before = await outbox.note();
    if (before === null) return;
    const note = decodeNote(before);
    if (note.missed === true) return;
    // Not attached to anything: a host that feeds it right now is to look again, too.
    const next = encodeNote({ ...note, attached: null, refilled: 0, missed: true });
    if (await outbox.replaceNote(before, next)) return;
  }
}

function encodeNote({ index, store, attached, refilled, missed }: SearchNote): string {
  return JSON.stringify({ index, store, attached, refilled, ...(missed === true ? { missed } : {}) });
}

function decodeNote(text: string): SearchNote {
  try {
    const { index, store, attached, refilled, missed } = JSON.parse(text) as Partial<SearchNote>;
    const isAttached = attached === null || typeof attached === "string";
    const isRefilled = refilled === null || typeof refilled === "number";
    if (typeof index === "string" && typeof store === "string" && isAttached && isRefilled)
      return { index, store, attached, refilled, ...(missed === true ? { missed } : {}) };
  } catch {
    // Told below.
  }
  throw new CorruptedRecordError(
    "the store's note about its search index cannot be read: it was changed by something else. Restore it from a backup",
  );
}
