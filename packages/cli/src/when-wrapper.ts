/** Of the node that a step's `when` becomes in a workflow file: the step. Undefined for other nodes. */
export function stepOfWhen(id: string): string | undefined {
  return /^(.+)\/when(?:-\d+)?$/su.exec(id)?.[1];
}

interface Standing {
  readonly id: string;
  readonly name: string;
  readonly status: string;
}

/** Without those nodes: a step that was passed by is told as skipped, also where its definition is not known. */
export function withoutWhen<Step extends Standing>(steps: readonly Step[]): readonly Step[] {
  const byId = new Map(steps.map((step) => [step.id, step]));
  return steps.flatMap((step): readonly Step[] => {
    const inside = stepOfWhen(step.id);
    if (inside === undefined) {
      // The condition itself has failed.
      const isUnreached = step.status === "pending" || step.status === "skipped";
      return isUnreached && failedWhen(byId, step.id) ? [{ ...step, status: "failed" }] : [step];
    }
    if (byId.has(inside)) return [];
    const status = step.status === "completed" ? "skipped" : step.status === "running" ? "pending" : step.status;
    return [{ ...step, id: inside, name: inside, status }];
  });
}

function failedWhen(byId: ReadonlyMap<string, Standing>, id: string): boolean {
  return byId.get(`${id}/when`)?.status === "failed";
}
