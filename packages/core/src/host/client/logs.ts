import { decode, handOut } from "../../codec/index.ts";
import { InvalidOptionError, WorkflowNotFoundError } from "../../errors.ts";
import { finalStatuses } from "../../providers/records.ts";
import type { LogLineRecord } from "../core/log-keeper.ts";
import type { ClientShared } from "./client-shared.ts";
import { checkId } from "./names.ts";
import { checkPage } from "./pages.ts";
import type { Page, PageOptions } from "./workflow-views.ts";

/** A line that a step wrote. */
export interface LogLine {
  readonly at: number;
  /** `ctx.write`, `ctx.progress` or `ctx.log`. */
  readonly kind: "output" | "progress" | "log";
  readonly stepId: string;
  readonly executionId: string;
  readonly attempt: number;
  /** The how-manieth line of its attempt it is, from 1. Lines that are not kept leave a gap. */
  readonly line?: number;
  /** Of output: which stream. */
  readonly stream?: string;
  /** Of a log line. */
  readonly level?: string;
  readonly text?: string;
  readonly percent?: number;
  readonly fields?: unknown;
}

/** A page of lines, oldest first. `cursor` is there as long as the workflow may write more: it is where to go on. */
export async function readLogs(
  shared: ClientShared,
  namespace: string,
  id: string,
  options: PageOptions,
): Promise<Page<LogLine>> {
  const { limit, cursor } = checkPage(options);
  if (cursor !== undefined && !/^\d{1,16}$/u.test(cursor))
    throw new InvalidOptionError(`\`cursor\` is not one that \`logs\` gave: ${JSON.stringify(cursor.slice(0, 100))}`);
  const row = await shared.store.find({ namespace, id: checkId(id) });
  if (row === undefined) throw new WorkflowNotFoundError(id, namespace);
  const { logs } = shared.core.providers.persistence;
  if (logs === undefined)
    throw new InvalidOptionError(
      "the store keeps no lines of steps: listen to `step.output` and `step.progress` instead",
    );
  // What this host still has in hand is to be seen.
  await shared.core.logs?.flush();
  const after = cursor === undefined ? 0 : Number(cursor);
  const lines = await shared.store.persistently(() => logs.read(row.run, { after, limit }));
  const last = lines.at(-1);
  const items = lines.map(({ at, lineText }) => ({ at, ...(handOut(decode(lineText)) as LogLineRecord) }));
  const mayGoOn = lines.length === limit || !finalStatuses.includes(row.status) || row.owner !== null;
  return { items, cursor: mayGoOn ? String(last?.number ?? after) : undefined };
}
