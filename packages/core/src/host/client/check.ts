import type { WorkflowDefinition } from "../../definition/definition.ts";
import { problemOf } from "../../engine/migrate.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { WorkflowStatus } from "../../providers/records.ts";
import { WfeError } from "../../errors.ts";
import type { ClientShared } from "./client-shared.ts";
import { foldNow } from "./fold.ts";
import { checkObject, checkWhole, refuseUnknown } from "./host-options.ts";
import { storedFilter } from "./list.ts";

export interface CheckOptions {
  /** The new ids of steps that are called otherwise, as `migrateWorkflow` takes them. */
  readonly steps?: Readonly<Record<string, string>>;
  /** Stranded workflows to name, 1 to 100,000; all are counted. Default 1,000. */
  readonly limit?: number;
}

/** What definitions would do to workflows that are under way. */
export interface CheckResult {
  /** How many workflows of these definitions have not ended. */
  readonly live: number;
  /** How many of them could not go on. */
  readonly stranded: number;
  readonly workflows: readonly StrandedWorkflow[];
}

export interface StrandedWorkflow {
  readonly id: string;
  readonly definitionId: string;
  readonly version: number;
  readonly status: WorkflowStatus;
  /** The version of the definition that was checked. */
  readonly toVersion: number;
  readonly reason: string;
}

const live: readonly WorkflowStatus[] = ["runnable", "waiting", "suspended"];
const pageSize = 200;

/**
 * Which live workflows could not go on with these definitions: those of their versions as they are, those of other versions after a
 * migration. Costs a reading of each one's state.
 */
export async function checkDefinitions(
  shared: ClientShared,
  namespace: string,
  definitions: readonly WorkflowDefinition[],
  options: CheckOptions,
): Promise<CheckResult> {
  if (!Array.isArray(definitions)) throw new InvalidOptionError("`check` takes a list of definitions");
  checkObject("the options of `check`", options);
  refuseUnknown("the options of `check`", options, ["steps", "limit"]);
  const limit = checkWhole("limit", options.limit ?? 1_000, 1, 100_000);
  const { persistence } = shared.core.providers;
  const workflows: StrandedWorkflow[] = [];
  let seen = 0;
  let stranded = 0;
  for (const definition of definitions) {
    const filter = storedFilter(namespace, { definitionId: definition.id, status: live });
    for (let cursor: string | undefined; ;) {
      const page = await shared.store.persistently(() =>
        persistence.list(filter, { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) }),
      );
      for (const row of page.items) {
        // One of a version that is given too is judged by that one.
        const own = definitions.some(({ id, version }) => id === row.definitionId && version === row.version);
        if (own && row.version !== definition.version) continue;
        seen += 1;
        const reason = await reasonOf(shared, row.run, definition, row.version, options.steps);
        if (reason === undefined) continue;
        stranded += 1;
        if (workflows.length < limit)
          workflows.push({
            id: row.id,
            definitionId: row.definitionId,
            version: row.version,
            status: row.status,
            toVersion: definition.version,
            reason,
          });
      }
      ({ cursor } = page);
      if (cursor === undefined) break;
    }
  }
  return { live: seen, stranded, workflows };
}

async function reasonOf(
  shared: ClientShared,
  run: number,
  definition: WorkflowDefinition,
  version: number,
  steps: Readonly<Record<string, string>> | undefined,
): Promise<string | undefined> {
  try {
    const folded = await foldNow(shared.core.providers.persistence, run);
    if (folded === undefined) return undefined;
    return problemOf(shared.core.registry.get(definition.id, version), definition, folded.state, steps);
  } catch (error) {
    if (error instanceof WfeError) return error.message;
    throw error;
  }
}
