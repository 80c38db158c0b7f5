import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What this machine remembers of a run: enough to load its definitions again. */
export interface RunNote {
  readonly id: string;
  /** Absolute. */
  readonly file: string;
  /** What `--var` said. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Which steps were asked for. */
  readonly only?: string | undefined;
  readonly from?: string | undefined;
}

/** Kept beside the database, since the store holds no paths and no variables: they belong to this machine. */
export function noteRun(folder: string, note: RunNote): void {
  write(folder, note, "w");
}

/** The same where nothing is noted of a run of this id yet; false where something is. */
export function noteFirst(folder: string, note: RunNote): boolean {
  try {
    write(folder, note, "wx");
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** For a run that did not come to be. */
export function forgetRun(folder: string, id: string): void {
  rmSync(fileOf(folder, id), { force: true });
}

function write(folder: string, note: RunNote, flag: "w" | "wx"): void {
  mkdirSync(folder, { recursive: true });
  // Variables may be nobody else's business.
  writeFileSync(fileOf(folder, note.id), `${JSON.stringify(note, undefined, 2)}\n`, { mode: 0o600, flag });
}

/** Undefined where the run was not begun here. */
export function readNote(folder: string, id: string): RunNote | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(folder, id), "utf8")) as RunNote;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** An id may hold anything; only plain ones become names of files. */
function fileOf(folder: string, id: string): string {
  const isPlain = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(id);
  return join(folder, `${isPlain ? id : createHash("sha256").update(id).digest("hex")}.json`);
}
