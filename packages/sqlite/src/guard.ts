import { StoreError } from "@wfe/core/providers";
import type { Connection } from "./session.ts";

/** What stands before the first word of a statement. */
const before = String.raw`(?:\s|;|--[^\n]*(?:\n|$)|/\*[\s\S]*?\*/)*`;
const ends = String.raw`(COMMIT|END|ROLLBACK(?!\s+(?:TRANSACTION\s+)?TO\b))\b`;
const endsFirst = new RegExp(`^${before}${ends}`, "i");
const endsLater = new RegExp(`;${before}${ends}`, "i");
/** In a trigger, and in quotes, those words end nothing. */
const unclear = /['"`[]|\bTRIGGER\b/i;

/**
 * Refuses on a connection of ours, while a step's body has it, what would take the transaction or the connection away under the
 * turns that share them. What gets past this is found out after the body; but what it has committed is committed.
 */
export function guard(db: Connection, isLent: () => boolean): void {
  const { close, exec, prepare } = db;
  const replace = (name: "close" | "exec" | "prepare", value: (...given: never[]) => unknown): void => {
    Object.defineProperty(db, name, { value, writable: true, configurable: true, enumerable: false });
  };
  replace("close", () => {
    if (isLent()) {
      throw refusal("the step closed the connection, which is not its own: leave `tx.close()` out of it");
    }
    return close.call(db);
  });
  replace("exec", (sql: string) => {
    if (isLent()) refuseEnd(sql);
    return exec.call(db, sql);
  });
  replace("prepare", (sql: string) => {
    if (isLent()) refuseEnd(sql);
    return prepare.call(db, sql);
  });
}

function refuseEnd(sql: unknown): void {
  if (typeof sql !== "string") return;
  const found = endsFirst.exec(sql) ?? (unclear.test(sql) ? null : endsLater.exec(sql));
  if (found === null) return;
  throw refusal(
    `${String(found[1]).toUpperCase()} would end the transaction that the step shares with its result: leave COMMIT and ROLLBACK out of it; to undo what it wrote, throw, or use SAVEPOINT and ROLLBACK TO`,
  );
}

/** Why a step's body cannot be run as it is. */
export function refusal(message: string): StoreError {
  return new StoreError("TRANSACTIONAL_STEP", message, { outcome: "not-applied", transient: false });
}
