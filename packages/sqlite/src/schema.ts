import { type Migration, sharedTables } from "@wfe/sql";

/**
 * The schema, version by version. Never change one that was released: add the next.
 *
 * The journal is laid out for appending. A commit writes turns of many workflows, and with a key of (run, seq) every one of
 * them would fall on a page of its own: measured with 1,000 workflows side by side, that costs three to eight times as much as
 * appending. So `wfe_turns` is one log in the order of commits, each turn knows the place of the one before it in its workflow,
 * and the narrow row in `wfe_heads` knows the last. A workflow is read backwards from there; every 64th turn is in a partial
 * index, so that a page out of the middle of a long history costs no more than one at its end.
 */
export const migrations: readonly Migration[] = [
  {
    version: 1,
    statements: () => [
      ...sharedTables("sqlite").map((table) => table.sql),

      // What changes with every turn and every wake-up, apart from the wider row: many of these share a page.
      `CREATE TABLE wfe_heads (
        run INTEGER PRIMARY KEY,
        seq INTEGER NOT NULL,
        last INTEGER,
        signals INTEGER NOT NULL DEFAULT 0,
        delivered INTEGER NOT NULL DEFAULT 0,
        unread INTEGER NOT NULL DEFAULT 0,
        limited INTEGER NOT NULL DEFAULT 0
      )`,
      `CREATE TABLE wfe_turns (
        place INTEGER PRIMARY KEY,
        previous INTEGER,
        run INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        turn TEXT NOT NULL,
        at INTEGER NOT NULL,
        host TEXT NOT NULL,
        entries TEXT NOT NULL
      )`,
      "CREATE UNIQUE INDEX wfe_turns_mark ON wfe_turns (run, seq) WHERE seq % 64 = 63",

      // What is left to delete of workflows that are gone already: a journal may be too long for one transaction.
      "CREATE TABLE wfe_trash (run INTEGER PRIMARY KEY, last INTEGER)",

      // Who, in other processes, wants to hear of lifecycle events, and those events.
      "CREATE TABLE wfe_listeners (listener TEXT PRIMARY KEY, expires_at INTEGER NOT NULL) WITHOUT ROWID",
      `CREATE TABLE wfe_lifecycle (
        batch INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,
        at INTEGER NOT NULL,
        events BLOB NOT NULL
      )`,
    ],
  },
  {
    version: 2,
    statements: () => [
      // Never a number twice: they are revisions of documents, in this index or another.
      "CREATE TABLE wfe_outbox (place INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, at INTEGER NOT NULL)",

      // `doc` is the place in the order of creation; see `sqliteSearch`.
      `CREATE TABLE wfe_search (
        doc INTEGER PRIMARY KEY,
        run INTEGER NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        id TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        completed_at INTEGER,
        facets TEXT NOT NULL
      )`,
      // Terms alone, without their texts, and without places in texts: nobody asks what stands beside what.
      `CREATE VIRTUAL TABLE wfe_search_terms USING fts5 (
        terms, content='', contentless_delete=1, detail=none, tokenize="ascii tokenchars '=_'"
      )`,
      `CREATE TABLE wfe_search_values (
        path TEXT NOT NULL, value REAL NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY (doc, path, value)
      ) WITHOUT ROWID`,
      "CREATE TABLE wfe_search_gone (run INTEGER PRIMARY KEY, revision INTEGER NOT NULL, at INTEGER NOT NULL)",
    ],
  },
  {
    version: 3,
    statements: () => [
      // What steps write, the newest of each workflow.
      "CREATE TABLE wfe_logs (line INTEGER PRIMARY KEY AUTOINCREMENT, run INTEGER NOT NULL, at INTEGER NOT NULL, text TEXT NOT NULL)",
      "CREATE INDEX wfe_logs_run ON wfe_logs (run, line)",
    ],
  },
];
