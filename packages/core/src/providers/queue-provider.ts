import type { ClaimedWorkflow, ClaimRequest } from "./persistence-provider.ts";
import type { Run } from "./records.ts";

/**
 * Says which workflows may have become ready. At-least-once, best effort: duplicates and losses are harmless, since the store's
 * own due index is swept as well.
 */
export interface QueueProvider {
  /** Offers workflows that have become due. A queue that *is* the store's due index has nothing to do. */
  push(items: readonly QueueItem[]): Promise<void>;

  /**
   * Takes up to `request.limit` that may be ready, highest priority first. A queue that is the store's due index claims them in the
   * same statement and gives them as `claimed`; another gives `candidates`, hides them for `visibilityMs`, and gives them again
   * unless they are removed: the host claims from the store, in the store's order, whatever is due.
   */
  pull(request: ClaimRequest & { readonly visibilityMs: number }): Promise<Pulled>;

  /** Forgets candidates: the host that pulled them has claimed what it could. */
  remove(items: readonly QueueItem[]): Promise<void>;

  /**
   * Calls the listener when something may be there to pull; `runs`: what was offered, where that is known. Best effort. Gives a
   * function that ends it.
   */
  hints(listener: (runs?: readonly Run[]) => void): () => void;
}

export interface QueueItem {
  readonly run: Run;
  readonly priority: number;
  /** When it may be pulled. */
  readonly dueAt: number;
}

export interface Pulled {
  readonly claimed: readonly ClaimedWorkflow[];
  readonly candidates: readonly QueueItem[];
}
