import type { WorkflowDefinition } from "../../definition/definition.ts";
import { problemOf } from "../../engine/migrate.ts";
import type { ReadTurn } from "../../engine/failures.ts";
import { lacksCompensation, mayLackCompensation } from "../../engine/owed-undoing.ts";
import { InvalidOptionError, WfeError } from "../../errors.ts";
import type { WorkflowRow, WorkflowStatus } from "../../providers/records.ts";
import type { ClientShared } from "./client-shared.ts";
import { foldNow } from "./fold.ts";
import { checkObject, checkWhole, refuseUnknown } from "./host-options.ts";
import { storedFilter } from "./list.ts";
import { turnsUpTo } from "./turns-up-to.ts";

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
  /** How many of them could not go on with a definition that they were checked for. */
  readonly stranded: number;
  /** Each one as often as there are versions with which it could not go on. */
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
 * migration. Each is counted once, however many versions are given. Costs a reading of each one's state; where a definition lacks a
 * compensation that there was, of histories too.
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
  const byId = Map.groupBy(distinct(definitions), ({ id }) => id);
  const workflows: StrandedWorkflow[] = [];
  let seen = 0;
  let stranded = 0;
  for (const [definitionId, versions] of byId) {
    const filter = storedFilter(namespace, { definitionId, status: live });
    for (let cursor: string | undefined; ;) {
      const page = await shared.store.persistently(() =>
        persistence.list(filter, { limit: pageSize, ...(cursor === undefined ? {} : { cursor }) }),
      );
      for (const row of page.items) {
        seen += 1;
        // One of a version that is given too is judged by that one.
        const own = versions.filter(({ version }) => version === row.version);
        const problems = await problemsOf(shared, row, own.length === 0 ? versions : own, options.steps);
        if (problems.length > 0) stranded += 1;
        for (const { toVersion, reason } of problems) {
          if (workflows.length >= limit) break;
          const { id, version, status } = row;
          workflows.push({ id, definitionId, version, status, toVersion, reason });
        }
      }
      ({ cursor } = page);
      if (cursor === undefined) break;
    }
  }
  return { live: seen, stranded, workflows };
}

/** Each once. */
function distinct(definitions: readonly WorkflowDefinition[]): readonly WorkflowDefinition[] {
  const known = new Map<string, WorkflowDefinition>();
  for (const definition of definitions) {
    const key = `${definition.id}@${definition.version}`;
    const before = known.get(key);
    if (before !== undefined && before.hash !== definition.hash)
      throw new InvalidOptionError(
        `\`check\` got two definitions \`${definition.id}\` of version ${definition.version}, and they differ: give one of them`,
      );
    known.set(key, before ?? definition);
  }
  return [...known.values()];
}

type Problem = Pick<StrandedWorkflow, "toVersion" | "reason">;

async function problemsOf(
  shared: ClientShared,
  row: WorkflowRow,
  versions: readonly WorkflowDefinition[],
  steps: Readonly<Record<string, string>> | undefined,
): Promise<readonly Problem[]> {
  const { persistence } = shared.core.providers;
  try {
    const folded = await foldNow(persistence, row.run);
    if (folded === undefined) return [];
    const { state } = folded;
    let journal: Promise<readonly ReadTurn[]> | undefined;
    const problems: Problem[] = [];
    for (const target of versions) {
      const from = shared.core.registry.get(target.id, row.version);
      let reason = problemOf(from, target, state, steps);
      if (reason === undefined && mayLackCompensation(from, target, state, steps))
        reason = lacksCompensation(
          target,
          state,
          await (journal ??= turnsUpTo(persistence, row.run, state.seq)),
          steps,
        );
      if (reason !== undefined) problems.push({ toVersion: target.version, reason });
    }
    return problems;
  } catch (error) {
    // Its journal is damaged, whatever the version.
    if (error instanceof WfeError)
      return versions.map(({ version }) => ({ toVersion: version, reason: error.message }));
    throw error;
  }
}
