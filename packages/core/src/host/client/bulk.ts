import { encode } from "../../codec/index.ts";
import type { Delivery } from "../../engine/index.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { WorkflowStatus } from "../../providers/records.ts";
import type { ClientShared } from "./client-shared.ts";
import { checkBoolean, checkObject, checkWhole, refuseUnknown } from "./host-options.ts";
import { countStored, storedFilter, type ListFilter } from "./list.ts";

/** Options of a call that is made for many workflows. */
export interface BulkOptions {
  /** Only count what the filter matches: nothing is asked of any workflow. Default `false`. */
  readonly preview?: boolean;
  /** At most so many workflows, 1 to 1,000,000: the newest. Default all. */
  readonly limit?: number;
}

/** How a call for many workflows went. */
export interface BulkResult {
  /** How many workflows the filter matches now, and `limit` allows. */
  readonly matched: number;
  /** How many calls were stored; each is then applied or refused by its workflow, and that is in its history. */
  readonly accepted: number;
  /** Workflows that took no call: their inboxes are full, or they were deleted meanwhile. */
  readonly skipped: readonly string[];
}

/** Statuses in which a call can be applied: others are left out by themselves, unless the filter names them. */
const sensible: Readonly<Partial<Record<Delivery["kind"], readonly WorkflowStatus[]>>> = {
  retry: ["failed", "suspended"],
  suspend: ["runnable", "waiting"],
  resume: ["suspended"],
  terminate: ["runnable", "waiting", "suspended"],
};

/** For calls that have no options of their own. */
export function checkBulkOptions(options: BulkOptions): void {
  checkObject("the options of this call", options);
  refuseUnknown("the options of this call", options, ["preview", "limit"]);
}

/** Puts a call into the inboxes of all workflows that match, in batches. Which those are is decided before the first is asked. */
export async function deliverAll(
  shared: ClientShared,
  namespace: string,
  filter: ListFilter,
  { preview = false, limit = mostWorkflows }: BulkOptions,
  delivery: Delivery,
): Promise<BulkResult> {
  checkObject("the filter", filter);
  checkBoolean("preview", preview);
  checkWhole("limit", limit, 1, mostWorkflows);
  const statuses = sensible[delivery.kind];
  const bounded = filter.status === undefined && statuses !== undefined ? { ...filter, status: statuses } : filter;
  if (Object.values(filter).every((value) => value === undefined))
    throw new InvalidOptionError(
      "the filter is empty, which would mean every workflow: name at least a `definitionId`, `status`, `tag` or time",
    );
  const stored = storedFilter(namespace, bounded);
  if (preview) return { matched: Math.min(limit, await countStored(shared, stored)), accepted: 0, skipped: [] };

  const { persistence } = shared.core.providers;
  const found: { readonly run: number; readonly id: string }[] = [];
  for (let cursor: string | undefined; found.length < limit;) {
    const page = await shared.store.persistently(() =>
      persistence.list(stored, {
        limit: Math.min(pageSize, limit - found.length),
        ...(cursor === undefined ? {} : { cursor }),
      }),
    );
    for (const { run, id } of page.items) found.push({ run, id });
    ({ cursor } = page);
    if (cursor === undefined) break;
  }
  const skipped: string[] = [];
  for (let from = 0; from < found.length; from += batchSize) {
    const some = found.slice(from, from + batchSize);
    const results = await Promise.all(
      some.map(({ run }) =>
        shared.store.deliver({
          deliveryId: shared.core.runtime.randomId(),
          to: run,
          kind: delivery.kind,
          bodyText: encode(delivery),
          // Nobody waits for the answers of thousands: they are in the histories.
          keepOutcome: false,
          exempt: false,
        }),
      ),
    );
    for (const [index, { outcome }] of results.entries())
      if (outcome !== "accepted") skipped.push(some[index]?.id ?? "");
    shared.wake(some.map(({ run }) => run));
  }
  return { matched: found.length, accepted: found.length - skipped.length, skipped };
}

const mostWorkflows = 1_000_000;
const pageSize = 1_000;
const batchSize = 500;
