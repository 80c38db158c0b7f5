import { workflow, type WorkflowDefinition, type WorkflowHost } from "@wfe/core";

/** Short workflows with something to be found in them. */
export const shortOne: WorkflowDefinition<{ n: number; text: string }> = workflow<{ n: number; text: string }>()
  .startWith(function first({ n }: { n: number; text: string }) {
    return { half: n / 2 };
  })
  .as("first")
  .then(function second() {
    return { done: true };
  })
  .as("second")
  .build("short", 1);

const batch = 50;

/** Runs workflows, a batch after the other, for a time; gives how many ended per second. */
export async function throughput(host: WorkflowHost, prefix: string, forMs: number): Promise<number> {
  const begun = performance.now();
  let ended = 0;
  for (let round = 0; performance.now() - begun < forMs; round++) {
    const handles = await host.startWorkflows(
      Array.from({ length: batch }, (_, n) => ({
        definition: shortOne,
        data: { n, text: `load ${prefix}` },
        options: { id: `${prefix}-${round}-${n}` },
      })),
    );
    await Promise.all(handles.map((handle) => handle.result()));
    ended += batch;
  }
  return (ended * 1_000) / (performance.now() - begun);
}

/** Waits until the index has heard of everything. */
export async function caughtUp(host: WorkflowHost, withinMs: number): Promise<void> {
  const begun = performance.now();
  for (;;) {
    const { search } = await host.health();
    if (search?.pending === 0 && !search.rebuilding) return;
    if (performance.now() - begun > withinMs) throw new Error(`the index is behind: ${JSON.stringify(search)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Every id that a search finds, and every id that the store has. */
export async function idsOf(host: WorkflowHost): Promise<{ readonly found: string[]; readonly stored: string[] }> {
  const found: string[] = [];
  const stored: string[] = [];
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await host.searchWorkflows("load status:completed", {
      limit: 1_000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    found.push(...page.items.map(({ id }) => id));
    cursor = page.cursor;
  }
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await host.listWorkflows({
      status: "completed",
      limit: 1_000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    stored.push(...page.items.map(({ id }) => id));
    cursor = page.cursor;
  }
  return { found: found.sort(), stored: stored.sort() };
}
