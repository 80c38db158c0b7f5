import { InvalidOptionError, NewerFormatError } from "@wfe/core/providers";

/** Gives statements. Called only when the migration is run. */
export type StatementSource = () => readonly string[];

/** One step from a version of the schema to the next. Never changed once released. */
export interface Migration {
  readonly version: number;
  readonly statements: StatementSource;
}

/**
 * Those still to be run, in order. Run them, and record the last one's version, in one transaction that began before the
 * stored version was read: of several processes one migrates, and one that is killed leaves nothing.
 *
 * `stored` is 0 for an empty database. Throws a `NewerFormatError` where a newer WFE has been there.
 */
export function pendingMigrations(
  migrations: readonly Migration[],
  stored: number,
  store: string,
): readonly Migration[] {
  const newest = migrations.at(-1)?.version ?? 0;
  if (!Number.isInteger(stored) || stored < 0) {
    throw new InvalidOptionError(
      `${store} names its schema version "${stored}": its table wfe_meta was changed by something else. Restore it from a backup`,
    );
  }
  if (stored > newest) {
    throw new NewerFormatError(
      `${store} has schema version ${stored}, and this WFE knows them up to ${newest}: upgrade this process`,
    );
  }
  return migrations.filter((migration) => migration.version > stored);
}
