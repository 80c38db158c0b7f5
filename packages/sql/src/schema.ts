import type { ColumnDefinitionBuilder, CompiledQuery, CreateTableBuilder, Kysely } from "kysely";
import { sql } from "kysely";
import type { Dialect } from "./query-builder.ts";
import { queryBuilder } from "./query-builder.ts";

/** A statement that makes a table or an index. */
export type SharedTable = Pick<CompiledQuery, "sql">;

type ColumnBuilder = (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;

/**
 * The first version of the tables that both databases have: instances, inboxes, events, leases.
 *
 * The journal is not among them: how turns are laid out is what makes a commit fast, and differs.
 */
export function sharedTables(dialect: Dialect, schema?: string): readonly SharedTable[] {
  const db = queryBuilder(dialect, schema);
  return [
    ...workflowTables(db, dialect),
    ...inboxTables(db, dialect),
    ...eventTables(db, dialect),
    ...lockTables(db),
  ].map((statement) => ({ sql: inBytes(statement.compile().sql, dialect) }));
}

/**
 * Texts are compared by their bytes, as SQLite does by itself: in PostgreSQL the database's collation would be slower, and its
 * order may change with the system's libraries, under indexes that rely on it.
 */
function inBytes(statement: string, dialect: Dialect): string {
  return dialect === "sqlite" ? statement : statement.replaceAll('" text', '" text collate "C"');
}

const required: ColumnBuilder = (column) => column.notNull();
const zero: ColumnBuilder = (column) => column.notNull().defaultTo(0);

/** The row's number, given by the database. */
function identity(dialect: Dialect): ColumnBuilder {
  return dialect === "sqlite"
    ? (column) => column.primaryKey()
    : (column) => column.primaryKey().generatedByDefaultAsIdentity();
}

/** A number that no later row gets again, also when this one has been deleted. */
function identityForEver(dialect: Dialect): ColumnBuilder {
  return dialect === "sqlite" ? (column) => column.primaryKey().autoIncrement() : identity(dialect);
}

/** Whole numbers of 64 bits. SQLite makes a column the row's number only where its type is spelled so. */
function whole(dialect: Dialect): "integer" | "bigint" {
  return dialect === "sqlite" ? "integer" : "bigint";
}

interface Statement {
  compile(): CompiledQuery;
}

function workflowTables(db: Kysely<any>, dialect: Dialect): Statement[] {
  const { schema } = db;
  const integer = whole(dialect);
  return [
    // A dictionary of what many rows have in common: an index over its number is narrow, and a claim names few of them.
    schema
      .createTable("wfe_definitions")
      .addColumn("definition", integer, identity(dialect))
      .addColumn("id", "text", required)
      .addColumn("version", integer, required)
      .addColumn("hash", "text", required)
      .addColumn("format", "integer", required)
      .addUniqueConstraint("wfe_definitions_key", ["id", "version", "hash", "format"]),
    schema
      .createTable("wfe_workflows")
      .addColumn("run", integer, identityForEver(dialect))
      .addColumn("claim", integer, zero)
      .addColumn("orphaned", "integer", zero)
      .addColumn("owner", "text")
      .addColumn("due_at", integer)
      .addColumn("definition", integer, required)
      .addColumn("status", "text", required)
      .addColumn("ended", "integer", zero)
      .addColumn("priority", "integer", required)
      .addColumn("created_at", integer, required)
      .addColumn("updated_at", integer, required)
      .addColumn("completed_at", integer)
      .addColumn("parent_run", integer)
      .addColumn("parent_pointer", integer)
      .addColumn("namespace", "text", required)
      .addColumn("id", "text", required)
      .addColumn("uid", "text", required)
      .addColumn("tags", "text")
      .addColumn("waiting_for", "text"),
    index(db, "wfe_workflows_id", "wfe_workflows", ["namespace", "id"]).unique(),

    // What is due, twice: by time alone, to see whether and when; by namespace and priority, to give each its share.
    index(db, "wfe_workflows_due", "wfe_workflows", ["definition", "due_at"])
      .where("due_at", "is not", null)
      .where("owner", "is", null),
    index(db, "wfe_workflows_lane", "wfe_workflows", ["definition", "namespace", "priority", "due_at"])
      .where("due_at", "is not", null)
      .where("owner", "is", null),
    index(db, "wfe_workflows_owner", "wfe_workflows", ["owner"]).where("owner", "is not", null),

    // For lists. Split by `ended`, so that what is stepped on moves in a small index, and the large one is written once a workflow.
    index(db, "wfe_workflows_live", "wfe_workflows", ["namespace", "definition", "created_at", "run"]).where(
      sql.ref("ended"),
      "=",
      sql.lit(0),
    ),
    index(db, "wfe_workflows_ended", "wfe_workflows", ["namespace", "definition", "status", "created_at", "run"]).where(
      sql.ref("ended"),
      "=",
      sql.lit(1),
    ),
    index(db, "wfe_workflows_suspended", "wfe_workflows", ["namespace", "definition", "created_at", "run"]).where(
      "status",
      "=",
      sql.lit("suspended"),
    ),
    index(db, "wfe_workflows_completed", "wfe_workflows", ["completed_at"]).where(sql.ref("ended"), "=", sql.lit(1)),

    table(db, "wfe_tags", dialect, (tags) =>
      tags
        .addColumn("namespace", "text", required)
        .addColumn("tag", "text", required)
        .addColumn("created_at", integer, required)
        .addColumn("run", integer, required)
        .addPrimaryKeyConstraint("wfe_tags_key", ["namespace", "tag", "created_at", "run"]),
    ),

    // Apart from the row, which is rewritten at every claim: these may be long, and are written once.
    schema
      .createTable("wfe_starts")
      .addColumn("run", integer, (column) => column.primaryKey())
      .addColumn("text", "text", required),
    schema
      .createTable("wfe_ends")
      .addColumn("run", integer, (column) => column.primaryKey())
      .addColumn("result", "text")
      .addColumn("error", "text"),
    schema
      .createTable("wfe_checkpoints")
      .addColumn("run", integer, (column) => column.primaryKey())
      .addColumn("seq", integer, required)
      .addColumn("state", "text", required),
  ];
}

function inboxTables(db: Kysely<any>, dialect: Dialect): Statement[] {
  const integer = whole(dialect);
  return [
    db.schema
      .createTable("wfe_deliveries")
      .addColumn("delivery", integer, identity(dialect))
      .addColumn("run", integer, required)
      .addColumn("number", integer, required)
      .addColumn("delivery_id", "text", required)
      .addColumn("kind", "text", required)
      .addColumn("body", "text", required)
      .addColumn("at", integer, required)
      .addColumn("keep", "integer", required)
      .addColumn("exempt", "integer", required)
      .addColumn("outcome", "text")
      .addColumn("reason", "text"),
    index(db, "wfe_deliveries_number", "wfe_deliveries", ["run", "number"]).unique(),
    index(db, "wfe_deliveries_id", "wfe_deliveries", ["run", "delivery_id"]).unique(),
    index(db, "wfe_deliveries_unread", "wfe_deliveries", ["run", "number"]).where("outcome", "is", null),
  ];
}

function eventTables(db: Kysely<any>, dialect: Dialect): Statement[] {
  const integer = whole(dialect);
  return [
    db.schema
      .createTable("wfe_streams")
      .addColumn("stream", integer, identity(dialect))
      .addColumn("namespace", "text", required)
      .addColumn("name", "text", required)
      .addColumn("key", "text", required)
      .addColumn("last", integer, zero)
      .addColumn("last_at", integer, zero)
      .addColumn("expired_through", integer, zero)
      .addColumn("expired_at", integer, zero)
      // 1 while some of its subscriptions are still to be woken for its last event.
      .addColumn("pending", "integer", zero),
    index(db, "wfe_streams_name", "wfe_streams", ["namespace", "name", "key"]).unique(),
    index(db, "wfe_streams_pending", "wfe_streams", ["stream"]).where(sql.ref("pending"), "=", sql.lit(1)),

    db.schema
      .createTable("wfe_events")
      .addColumn("event", integer, identity(dialect))
      .addColumn("stream", integer, required)
      // Null, as `at` is, while it is not effective.
      .addColumn("number", integer)
      .addColumn("at", integer)
      .addColumn("effective_at", integer)
      .addColumn("namespace", "text", required)
      .addColumn("event_id", "text", required)
      .addColumn("payload", "text", required),
    index(db, "wfe_events_id", "wfe_events", ["namespace", "event_id"]).unique(),
    index(db, "wfe_events_number", "wfe_events", ["stream", "number"]).unique().where("number", "is not", null),
    index(db, "wfe_events_future", "wfe_events", ["effective_at", "event"]).where("number", "is", null),
    index(db, "wfe_events_at", "wfe_events", ["at"]).where("number", "is not", null),

    table(db, "wfe_subscriptions", dialect, (subscriptions) => {
      const columns = subscriptions
        .addColumn("run", integer, required)
        .addColumn("pointer", integer, required)
        .addColumn("stream", integer, required)
        .addPrimaryKeyConstraint("wfe_subscriptions_key", ["run", "pointer", "stream"]);
      // The stream's last number when this was woken; whoever is below `last` is still to be woken. PostgreSQL remembers how far it
      // got in the stream instead: there, every change of a row leaves a dead one.
      return dialect === "sqlite" ? columns.addColumn("woken", integer, required) : columns;
    }),
    index(db, "wfe_subscriptions_stream", "wfe_subscriptions", ["stream", dialect === "sqlite" ? "woken" : "run"]),
  ];
}

function lockTables(db: Kysely<any>): Statement[] {
  return [
    // A lease that is not here is dead: it is taken away once, and its id never comes again.
    db.schema
      .createTable("wfe_leases")
      .addColumn("lease", "text", (column) => column.primaryKey().notNull())
      .addColumn("expires_at", "bigint", required)
      .addColumn("host", "text", required)
      .addColumn("pid", "integer")
      .addColumn("boot_id", "text")
      .addColumn("pid_namespace", "text")
      .addColumn("started_at", "text"),
    db.schema
      .createTable("wfe_keys")
      .addColumn("key", "text", (column) => column.primaryKey().notNull())
      .addColumn("lease", "text", required),
    index(db, "wfe_keys_lease", "wfe_keys", ["lease"]),
  ];
}

function index(db: Kysely<any>, name: string, table: string, columns: string[]): any {
  return db.schema.createIndex(name).on(table).columns(columns);
}

/** A table that is its own index: SQLite has to be told. */
function table(
  db: Kysely<any>,
  name: string,
  dialect: Dialect,
  columns: (builder: CreateTableBuilder<string>) => CreateTableBuilder<string, any>,
): CreateTableBuilder<string, any> {
  const builder = columns(db.schema.createTable(name));
  return dialect === "sqlite" ? builder.modifyEnd(sql`without rowid`) : builder;
}
