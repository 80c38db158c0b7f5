import { InvalidOptionError, LimitExceededError, ValidationError, WfeError } from "../../errors.ts";
import type { Awaitable } from "../../providers/persistence-provider.ts";
import { checkObject, refuseUnknown } from "./host-options.ts";
import { describeValue } from "./names.ts";

/** Options of calls that can join a transaction of the caller's. */
export interface TransactionOptions {
  /**
   * The driver's client, in a transaction that the caller has begun: what is stored becomes visible, and durable, when the
   * caller commits. With a synchronous driver it has been done when the call returns its promise, provided that the host is
   * open: started, or used before. The function of better-sqlite3's `db.transaction` must not give back a promise; what the call
   * promises is awaited after it:
   *
   * ```ts
   * let started: Promise<unknown> | undefined;
   * db.transaction(() => {
   *   db.prepare("INSERT INTO orders VALUES (?)").run("o-1");
   *   started = host.startWorkflow(order, { orderId: "o-1" }, { tx: db });
   * }).immediate();
   * await started;
   * ```
   */
  readonly tx?: unknown;
}

export function checkTx(options: TransactionOptions): TransactionOptions {
  checkObject("the options of this call", options);
  if (options.tx === null)
    throw new InvalidOptionError("`tx` is null: leave it out, or give the driver's client in a transaction");
  return options;
}

/**
 * Makes a call inside the caller's transaction, at once. `late`: the host was opened by this very call, so that a transaction of a
 * synchronous driver is over by now.
 */
export async function inCallersTransaction<Result>(late: boolean, call: () => Awaitable<Result>): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    if (!late || !(error instanceof InvalidOptionError)) throw error;
    throw new InvalidOptionError(
      `${error.message}. The host was not open when it was called: start it, or await another of its calls, before the transaction begins`,
      { cause: error },
    );
  }
}

/** What an item of a batch may have, and which options it takes. */
export interface ItemNames {
  readonly fields: readonly string[];
  readonly options: readonly string[];
}

/** Checks the items of a batch: an array of objects, not too many of them, with nothing in them that would be ignored. */
export function checkBatch(what: string, items: readonly unknown[], limit: number, names: ItemNames): void {
  if (!Array.isArray(items)) throw new InvalidOptionError(`\`${what}\` takes an array, got ${describeValue(items)}`);
  if (items.length > limit) {
    throw new LimitExceededError(
      `\`${what}\` takes at most ${limit} items, got ${items.length}: call it several times`,
      { limit },
    );
  }
  for (const [index, item] of items.entries()) {
    const where = `item ${index} of \`${what}\``;
    checkObject(where, item);
    const misplaced = names.options.find((name) => (item as Readonly<Record<string, unknown>>)[name] !== undefined);
    if (misplaced !== undefined && !names.fields.includes(misplaced))
      throw new InvalidOptionError(`${where}: \`${misplaced}\` is an option, give it as \`options: { ${misplaced} }\``);
    refuseUnknown(where, item as object, names.fields);
  }
}

/** What is wrong with one item of a batch says which one that is. */
export function forItem<Result>(what: string, index: number, call: () => Awaitable<Result>): Awaitable<Result> {
  try {
    const result = call();
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw ofItem(what, index, error);
    });
  } catch (error) {
    throw ofItem(what, index, error);
  }
}

/** The error, with the item that it is about. */
export function ofItem(what: string, index: number, thrown: unknown): unknown {
  const where = `item ${index} of \`${what}\``;
  // A schema of the user's threw something of its own.
  if (!(thrown instanceof WfeError)) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new ValidationError(`${where}: its schema threw: ${message}`, [], { cause: thrown });
  }
  const { message, path } = thrown;
  thrown.message = `${where}: ${message}`;
  if (path !== undefined)
    Object.defineProperty(thrown, "path", { value: `items[${index}].${path}`, enumerable: true, configurable: true });
  // The stack has begun with the message since the error was made.
  if (thrown.stack !== undefined) thrown.stack = thrown.stack.replace(message, () => thrown.message);
  return thrown;
}
