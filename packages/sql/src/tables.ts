/** The tables that both databases have, as far as queries built here read them. `sharedTables` makes them. */
export interface Tables {
  readonly wfe_workflows: WorkflowsTable;
  readonly wfe_tags: TagsTable;
}

interface WorkflowsTable {
  readonly run: number;
  readonly namespace: string;
  readonly id: string;
  /** The row of `wfe_definitions`: id, version, hash and format. */
  readonly definition: number;
  readonly status: string;
  /** 1 where the status is a final one. What an index is partial by, since it changes less often than the status. */
  readonly ended: number;
  readonly created_at: number;
  /** JSON of `WaitingFor[]`; null for none. */
  readonly waiting_for: string | null;
}

interface TagsTable {
  readonly namespace: string;
  readonly tag: string;
  /** The workflow's, so that one index finds and sorts. */
  readonly created_at: number;
  readonly run: number;
}
