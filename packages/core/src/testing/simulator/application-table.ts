/** What a body writes to, as `ctx.tx`. */
export interface ApplicationTransaction {
  /** Adds a row that names the execution. */
  write(execution: string): void;
}

/**
 * A table of the application's, in the database of the store: what a transactional step writes there is committed with its turn, or
 * not at all.
 */
export class ApplicationTable {
  /** By execution, how many rows there are. */
  readonly rows: Map<string, number> = new Map();
  /** All rows. */
  size = 0;

  begin(): OpenTransaction {
    return new OpenTransaction(this);
  }

  add(execution: string): void {
    this.size += 1;
    this.rows.set(execution, (this.rows.get(execution) ?? 0) + 1);
  }
}

/** What was written and is not committed. Forgotten, it is undone. */
export class OpenTransaction implements ApplicationTransaction {
  readonly #table: ApplicationTable;
  readonly #written: string[] = [];

  constructor(table: ApplicationTable) {
    this.#table = table;
  }

  write(execution: string): void {
    this.#written.push(execution);
  }

  commit(): void {
    for (const execution of this.#written.splice(0)) this.#table.add(execution);
  }
}
