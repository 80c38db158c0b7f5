import { InvalidOptionError } from "../../errors.ts";
import type { WorkflowFilter } from "../../providers/persistence-provider.ts";
import { finalStatuses, type WorkflowStatus } from "../../providers/records.ts";
import type { ClientShared } from "./client-shared.ts";
import { checkObject, refuseUnknown } from "./host-options.ts";
import { checkName, describeValue } from "./names.ts";
import { checkPage } from "./pages.ts";
import { summaryOf } from "./read-workflow.ts";
import { checkTime } from "./start.ts";
import type { Page, PageOptions, WorkflowSummary } from "./workflow-views.ts";

/** Which workflows are meant: those for which all that is given holds. */
export interface ListFilter {
  readonly definitionId?: string;
  readonly version?: number;
  /** One status, or several of which one holds. */
  readonly status?: WorkflowStatus | readonly WorkflowStatus[];
  readonly tag?: string;
  /** Created later than this: a date, or milliseconds since the epoch. */
  readonly createdAfter?: Date | number;
  /** Created earlier than this. */
  readonly createdBefore?: Date | number;
  /** Waiting for an event of this name. */
  readonly waitingForEvent?: string;
}

/** A filter, and which page of the list. */
export interface ListOptions extends ListFilter, PageOptions {}

const statuses: readonly WorkflowStatus[] = ["runnable", "waiting", "suspended", ...finalStatuses];
const filterNames: readonly string[] = [
  "definitionId",
  "version",
  "status",
  "tag",
  "createdAfter",
  "createdBefore",
  "waitingForEvent",
];

/** A page of workflows, newest first. */
export async function listWorkflows(
  shared: ClientShared,
  namespace: string,
  options: ListOptions,
): Promise<Page<WorkflowSummary>> {
  checkObject("the filter of `listWorkflows`", options);
  refuseUnknown("the filter of `listWorkflows`", options, [...filterNames, "limit", "cursor"]);
  const { limit: limitOption, cursor: cursorOption, ...filter } = options;
  const { limit, cursor } = checkPage({
    ...(limitOption === undefined ? {} : { limit: limitOption }),
    ...(cursorOption === undefined ? {} : { cursor: cursorOption }),
  });
  const stored = storedFilter(namespace, filter);
  const { persistence } = shared.core.providers;
  const page = await shared.store.persistently(() =>
    persistence.list(stored, { limit, ...(cursor === undefined ? {} : { cursor }) }),
  );
  return { items: page.items.map(summaryOf), cursor: page.cursor };
}

/** How many workflows there are. */
export function countWorkflows(shared: ClientShared, namespace: string, filter: ListFilter): Promise<number> {
  checkObject("the filter of `countWorkflows`", filter);
  refuseUnknown("the filter of `countWorkflows`", filter, filterNames);
  return countStored(shared, storedFilter(namespace, filter));
}

export function countStored(shared: ClientShared, stored: WorkflowFilter): Promise<number> {
  return shared.store.persistently(() => shared.core.providers.persistence.count(stored));
}

/** The filter, checked. */
export function storedFilter(namespace: string, filter: ListFilter): WorkflowFilter {
  refuseUnknown("the filter", filter, filterNames);
  const { definitionId, version, status, tag, createdAfter, createdBefore, waitingForEvent } = filter;
  if (version !== undefined && !Number.isInteger(version))
    throw new InvalidOptionError(`\`version\` must be a whole number, got ${describeValue(version)}`);
  return {
    namespace,
    ...(definitionId === undefined ? {} : { definitionId: checkName("`definitionId`", definitionId) }),
    ...(version === undefined ? {} : { version }),
    ...(status === undefined ? {} : { status: checkStatus(status) }),
    ...(tag === undefined ? {} : { tag: checkName("`tag`", tag) }),
    ...(createdAfter === undefined ? {} : { createdAfter: checkTime("createdAfter", createdAfter) }),
    ...(createdBefore === undefined ? {} : { createdBefore: checkTime("createdBefore", createdBefore) }),
    ...(waitingForEvent === undefined ? {} : { waitingForEvent: checkName("`waitingForEvent`", waitingForEvent) }),
  };
}

/** Checks one status or several. */
export function checkStatus(status: WorkflowStatus | readonly WorkflowStatus[]): readonly WorkflowStatus[] {
  const given: readonly unknown[] = Array.isArray(status) ? status : [status];
  for (const each of given) {
    if (!statuses.some((known) => known === each)) {
      throw new InvalidOptionError(
        `\`status\` must be one or several of ${statuses.join(", ")}, got ${describeValue(each)}`,
      );
    }
  }
  return given as readonly WorkflowStatus[];
}
