import type { HistoryItem, WorkflowHost } from "@wfe/core";

/** All of a workflow's history, page by page. */
export async function historyOf(host: WorkflowHost, id: string): Promise<readonly HistoryItem[]> {
  const items: HistoryItem[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await host.history(id, { limit: 100, ...(cursor === undefined ? {} : { cursor }) });
    items.push(...page.items);
    if (page.cursor === undefined) return items;
    ({ cursor } = page);
  }
}

/** How many attempts of steps failed. What a failure does to the containers around its step is not counted. */
export async function errorsOf(host: WorkflowHost, id: string): Promise<number> {
  const items = await historyOf(host, id);
  return items.filter(
    ({ kind, stepId, error }) =>
      ["step-failed", "step-retrying", "step-held"].includes(kind) &&
      error?.stepId === stepId &&
      error?.code !== "CHILD_WORKFLOW",
  ).length;
}
