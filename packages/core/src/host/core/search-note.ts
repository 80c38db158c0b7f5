import { CorruptedRecordError } from "../../errors.ts";
import type { Run } from "../../providers/records.ts";
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

function encodeNote({ index, store, attached, refilled }: SearchNote): string {
  return JSON.stringify({ index, store, attached, refilled });
}

function decodeNote(text: string): SearchNote {
  try {
    const { index, store, attached, refilled } = JSON.parse(text) as Partial<SearchNote>;
    const isAttached = attached === null || typeof attached === "string";
    const isRefilled = refilled === null || typeof refilled === "number";
    if (typeof index === "string" && typeof store === "string" && isAttached && isRefilled)
      return { index, store, attached, refilled };
  } catch {
    // Told below.
  }
  throw new CorruptedRecordError(
    "the store's note about its search index cannot be read: it was changed by something else. Restore it from a backup",
  );
}
