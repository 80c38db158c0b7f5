import type { CreatedWorkflow, NewEvent, NewWorkflow, PublishedEvent } from "@wfe/core/providers";
import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import { checkWorkflow, createdOf, type CreatedRows, createItems, definitionOf } from "./create.ts";
import { sqlState, storeError } from "./errors.ts";
import { checkEvent, eventItem } from "./events.ts";
import { createdWithOutbox } from "./outbox.ts";
import type { Open } from "./postgres.ts";
import { jsonOf } from "./store.ts";
import { callersQuerier, type Querier } from "./target.ts";

const createInCall = "$s.wfe_create_in($1, $2::bigint, $3::json)";
const createInKept: string = createdWithOutbox(createInCall, "$2::bigint");

/** Stores workflows in the caller's transaction, by plain inserts: nothing that others wait for is locked until its commit. */
export async function createIn(open: Open, tx: unknown, workflows: readonly NewWorkflow[]): Promise<CreatedWorkflow[]> {
  const { store, definitions, kept } = open;
  const caller = querierOf(tx);
  for (const workflow of workflows) checkWorkflow(workflow);
  await definitions.learn(store, workflows.map(definitionOf));
  const items = createItems(workflows, definitions);
  const created = await joined(open, caller, async () =>
    jsonOf<CreatedRows>(
      await caller.query(store.sql(kept.on ? createInKept : `SELECT ${createInCall}::text AS json`), [
        store.storeId,
        store.now,
        JSON.stringify(items.items),
      ]),
    ),
  );
  if (created === null) throw new TypeError("the store gave no answer");
  return createdOf(workflows, items, created);
}

/** Leaves events in the caller's transaction, which hosts number and deliver once it is committed. */
export async function publishIn(open: Open, tx: unknown, events: readonly NewEvent[]): Promise<PublishedEvent[]> {
  const { store } = open;
  const caller = querierOf(tx);
  for (const event of events) checkEvent(event);
  const known = await joined(open, caller, async () =>
    jsonOf<(readonly [number: number | null, duplicate: boolean])[]>(
      await caller.query(store.sql("SELECT $s.wfe_stage_events($1, $2::json)::text AS json"), [
        store.storeId,
        JSON.stringify(events.map(eventItem)),
      ]),
    ),
  );
  return (known ?? []).map(([number, duplicate]) => ({ number, duplicate }));
}

function querierOf(tx: unknown): Querier {
  const querier = callersQuerier(tx);
  if (querier !== undefined) return querier;
  throw new InvalidOptionError(
    "`tx` must be a client of pg, or a transaction of Kysely: pass the one that the transaction is open on",
  );
}

/** Under a savepoint: all of it, or nothing where it throws, and the caller's transaction can go on. */
async function joined<T>({ store }: Open, caller: Querier, work: () => Promise<T>): Promise<T> {
  const name = store.target.name;
  try {
    await caller.query("SAVEPOINT wfe_joined");
  } catch (error) {
    if (sqlState(error) !== "25P01") throw callersError(error, name);
    throw new InvalidOptionError("`tx` is not in a transaction: call this between its BEGIN and its COMMIT", {
      cause: error,
    });
  }
  try {
    const result = await work();
    await caller.query("RELEASE SAVEPOINT wfe_joined");
    return result;
  } catch (error) {
    await caller.query("ROLLBACK TO SAVEPOINT wfe_joined").catch(() => undefined);
    const state = sqlState(error);
    if (state === "WFE03" || state === "42883" || state === "3F000") {
      throw new InvalidOptionError(`\`tx\` is a transaction on another database than ${name}: use one database`, {
        cause: error,
      });
    }
    throw callersError(error, name);
  }
}

/** What passes is repeated where the transaction is ours: this one only its owner can repeat. */
function callersError(error: unknown, store: string): Error {
  const found = storeError(error, "statement", store);
  const passes = ["40", "57", "08"].some((prefix) => sqlState(error)?.startsWith(prefix) === true);
  if (!passes || !(found instanceof StoreError) || !(error instanceof Error)) return found;
  return new StoreError(found.code, `${store}: ${error.message}: roll your transaction back, and repeat all of it`, {
    outcome: found.outcome,
    transient: found.transient,
    cause: error,
  });
}
