import type { WorkflowStatus } from "@wfe/core";

export const finalStatuses: ReadonlySet<WorkflowStatus> = new Set(["completed", "failed", "terminated"]);
