import type { ClaimedWorkflow, ClaimRequest } from "@wfe/core/providers";
import { arrayOf, definitionArrays } from "./arrays.ts";
import type { Open } from "./postgres.ts";
import { type ClaimedRow, rowOf } from "./rows.ts";

/** Lanes looked at by one claim, for each workflow it may take, and at least and at most. With more of them, claims take turns. */
const lanesPerWorkflow = 4;
const minLanes = 200;
const maxLanes = 2_000;

interface Claimed {
  readonly rows: readonly ClaimedRow[] | null;
  readonly stopped: string | null;
  readonly left: number | null;
}

/** What due times begin at. */
const earliest = "-9223372036854775808";

/** The namespace at which the next claim goes on, where there are more lanes than one may look at. */
export interface LaneCursor {
  from: string;
}

/** Takes workflows for the lease; see the contract. */
export async function claim(
  { store, hints }: Open,
  request: ClaimRequest,
  cursor: LaneCursor,
): Promise<ClaimedWorkflow[]> {
  const { lease, limit, definitions, format, runs } = request;
  if (limit <= 0 || definitions.length === 0 || runs?.length === 0) return [];
  const lanes = Math.min(maxLanes, Math.max(minLanes, lanesPerWorkflow * limit));
  const { clock } = store;
  // A test's time moves as it likes.
  const since = store.isRealTime && runs === undefined ? hints.dueSince.of(definitions, clock.monotonic()) : null;
  const claimed = await store.writeJson<Claimed>(
    store.shared,
    `SELECT $s.wfe_claim($1::bigint, $2::integer, $3, $4::integer, $5::text[], $6::bigint[], $7::text[], $8::integer,
      $9::bigint[], $10::integer, $11, $12::bigint, $13)::text AS json`,
    [
      store.now,
      store.patience.ms,
      lease,
      Math.min(limit, 10_000),
      ...definitionArrays(definitions),
      format,
      runs === undefined ? null : arrayOf(runs),
      Math.ceil(lanes / definitions.length),
      cursor.from,
      since ?? earliest,
      store.storeId,
    ],
  );
  if (claimed !== null && claimed.left !== null)
    hints.dueSince.claimed(definitions, since, claimed.left, clock.monotonic());
  cursor.from = claimed?.stopped ?? "";
  return (claimed?.rows ?? []).map(({ headSeq, orphaned, ...stored }) => ({ row: rowOf(stored), headSeq, orphaned }));
}
