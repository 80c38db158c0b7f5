import { createIn, stageEvents } from "./callers.ts";
import { claim, lanes, take } from "./claim.ts";
import { commit, writeRows, writeRowsAlone } from "./commit.ts";
import { create, createAlone, definition } from "./create.ts";
import { deliver, deliverLocked } from "./deliver.ts";
import { advanceEvents, fanOut, lockStreams, publish, purgeEvents, takeStaged } from "./events.ts";
import { acquire } from "./lock.ts";
import { begin, now, wake } from "./transaction.ts";

/**
 * The functions that write: a call is one round trip and one transaction, and each of its statements sees what was committed
 * before it began, which one statement with all of this in it would not.
 */
export const functions: readonly string[] = [
  begin,
  now,
  wake,
  definition,
  create,
  createAlone,
  deliverLocked,
  deliver,
  lockStreams,
  fanOut,
  publish,
  takeStaged,
  advanceEvents,
  purgeEvents,
  writeRows,
  writeRowsAlone,
  commit,
  take,
  lanes,
  claim,
  acquire,
  createIn,
  stageEvents,
];
