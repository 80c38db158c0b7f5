import type { RowWrite, Run } from "@wfe/core/providers";
import { arrayOf } from "./arrays.ts";
import { checkText } from "./text.ts";

/** A row to be written, by a claim. */
export interface RowToWrite {
  readonly run: Run;
  readonly claim: number;
  readonly row: RowWrite;
}

/** The arrays that `wfe_write_rows` and `wfe_commit` take, and what they are. */
export const rowArrayTypes = [
  "bigint[]",
  "bigint[]",
  "text[]",
  "bigint[]",
  "boolean[]",
  "bigint[]",
  "bigint[]",
  "text[]",
  "bigint[]",
  "text[]",
  "text[]",
  "text[]",
] as const;

export function rowArrays(writes: readonly RowToWrite[]): string[] {
  const column = (value: (write: RowToWrite) => string | number | boolean | null): string => arrayOf(writes.map(value));
  return [
    column(({ run }) => run),
    column(({ claim }) => claim),
    column(({ row }) => row.status),
    column(({ row }) => row.dueAt),
    column(({ row }) => row.release),
    column(({ row }) => row.notedSignals),
    column(({ row }) => row.version),
    column(({ row }) => row.definitionHash),
    column(({ row }) => row.completedAt),
    column(({ row }) => (row.waitingFor.length === 0 ? null : JSON.stringify(row.waitingFor))),
    column(({ row }) => row.resultText),
    column(({ row }) => row.errorText),
  ];
}

export function checkRow({ resultText, errorText, waitingFor }: RowWrite): void {
  if (resultText !== null) checkText(resultText, "a result");
  if (errorText !== null) checkText(errorText, "an error");
  for (const { event, key } of waitingFor) {
    checkText(event, "an event's name");
    checkText(key, "an event's key");
  }
}
