import type { WorkflowDefinition } from "../definition/definition.ts";
import { isInItem, type JournalFacts, type Opened, type Position, type ReadTurn } from "./failures.ts";
import { executionId } from "./state.ts";
import { stepNamed } from "./step-named.ts";

/** Which executions are to run again. Default: what the workflow failed of, or what an error has suspended. */
export interface RetryTarget {
  /** A step by its id, or by the last part of it where that names one alone. */
  readonly from?: string;
  /** The numbers of the items or iterations around it, the innermost last; of outer ones as many as are given. */
  readonly item?: readonly number[];
  /** One execution, by the id that the history gives it. */
  readonly execution?: string;
}

export type Refused = { readonly refused: string };

/** The executions that are meant; undefined: all that failed. */
export function choose(
  definition: WorkflowDefinition,
  facts: JournalFacts,
  turns: readonly ReadTurn[],
  { from, item = [], execution }: RetryTarget,
): readonly Opened[] | Refused | undefined {
  if (from === undefined && item.length === 0 && execution === undefined) return undefined;
  const step = from === undefined ? undefined : stepNamed(definition, from);
  if (from !== undefined && step === undefined) return { refused: `the definition has no step \`${from}\`` };
  const matches = [...facts.opened.values()].filter(
    (one) =>
      (step === undefined || one.step === step) &&
      (execution === undefined || executionId(facts.state, one.pointer) === execution) &&
      isInItem(one.indexes, item),
  );
  const failed = failedNow(facts, turns);
  const failedMatches = matches.filter(({ pointer }) => failed.has(pointer));
  if (failedMatches.length > 0) return failedMatches;
  const [latest] = matches.slice(-1);
  const where = item.length === 0 ? "" : ` in item ${item.join(", ")}`;
  if (latest === undefined || (step === undefined && execution === undefined)) {
    if (execution !== undefined)
      return {
        refused: `the history has no execution \`${execution}\`${where}: \`history\` gives them as \`executionId\``,
      };
    if (step === undefined) return { refused: `nothing has failed${where}: name a step by \`from\`` };
    return { refused: `step \`${step}\` has not been reached${where}, so there is nothing to go back to` };
  }
  const hook = hookAround(definition, latest.step);
  if (hook !== undefined)
    return {
      refused: `step \`${latest.step}\` belongs to the \`${hook.slot}\` of \`${hook.of}\` and has not failed; it runs again when that ends again: retry from \`${hook.of}\``,
    };
  if (execution !== undefined) return [latest];
  return ofTheFailed(definition, facts, failed, matches);
}

/** What waits to be mended, by pointer: just before it failed or, where it is held, now. */
function failedNow({ causes, state }: JournalFacts, turns: readonly ReadTurn[]): ReadonlyMap<number, Position> {
  const failed = new Map(causes.map(({ pointer, at }) => [pointer, at]));
  const last = turns.at(-1);
  const end = { seq: last?.seq ?? 0, count: last?.entries.length ?? 0 };
  for (const { id, status } of state.pointers.values()) if (status === "held") failed.set(id, end);
  return failed;
}

/** Of the executions of a step that has not failed: those in the items of what has, else the only one there is. */
function ofTheFailed(
  definition: WorkflowDefinition,
  facts: JournalFacts,
  failed: ReadonlyMap<number, Position>,
  matches: readonly Opened[],
): readonly Opened[] | Refused {
  const chosen = new Map<number, Opened>();
  for (const pointer of failed.keys()) {
    const failure = facts.opened.get(pointer);
    if (failure === undefined) continue;
    const near = nearest(definition, facts, matches, failure);
    if (near.length === 0) continue;
    const one = latestOf(definition, near);
    if ("refused" in one) return one;
    chosen.set(one.pointer, one);
  }
  if (chosen.size > 0) return [...chosen.values()];
  const one = latestOf(definition, matches);
  return "refused" in one ? one : [one];
}

/** Those that share the most containers with a failure, and stand in the same items of them. */
function nearest(
  definition: WorkflowDefinition,
  { opened }: JournalFacts,
  matches: readonly Opened[],
  failure: Opened,
): readonly Opened[] {
  const inSameItems = matches.filter((one) =>
    one.around.every((container) => {
      const place = opened.get(container);
      if (place === undefined || !failure.around.includes(container) || !isCounted(definition, place.step)) return true;
      return one.indexes[place.indexes.length] === failure.indexes[place.indexes.length];
    }),
  );
  const shared = ({ around }: Opened): number => around.filter((one) => failure.around.includes(one)).length;
  const most = Math.max(0, ...inSameItems.map(shared));
  return inSameItems.filter((one) => shared(one) === most);
}

/** The last execution, as of a loop. Where a `forEach` has run it for several items, nobody can tell which of them is meant. */
function latestOf(definition: WorkflowDefinition, executions: readonly Opened[]): Opened | Refused {
  const latest = executions.at(-1) as Opened;
  const counted = containersOf(definition, latest.step).filter((step) => isCounted(definition, step));
  const itemOf = ({ indexes }: Opened): string =>
    counted.flatMap((step, place) => (isForEach(definition, step) ? [indexes[place]] : [])).join(", ");
  const items = new Set(executions.map(itemOf));
  if (items.size === 1) return latest;
  const some = [...items].slice(0, 5).map((numbers) => (numbers.includes(",") ? `[${numbers}]` : numbers));
  return {
    refused: `step \`${latest.step}\` ran for ${items.size} items (${some.join(", ")}${items.size > some.length ? ", ..." : ""}), and it is not clear which is meant: name it by \`item\``,
  };
}

/** The steps around one, outermost first. */
function containersOf({ index }: WorkflowDefinition, step: string): readonly string[] {
  const around: string[] = [];
  for (let place = index.places.get(step); place !== undefined && place.owner !== null;) {
    around.unshift(place.owner);
    place = index.places.get(place.owner);
  }
  return around;
}

function isCounted({ index }: WorkflowDefinition, step: string): boolean {
  const kind = index.places.get(step)?.node.kind;
  return kind === "for-each" || kind === "while" || kind === "do-while";
}

function isForEach({ index }: WorkflowDefinition, step: string): boolean {
  return index.places.get(step)?.node.kind === "for-each";
}

/** The hook that a step stands in, and whose it is: the innermost one. */
function hookAround(
  { index }: WorkflowDefinition,
  step: string,
): { readonly slot: string; readonly of: string } | undefined {
  for (
    let place = index.places.get(step);
    place !== undefined && place.owner !== null;
    place = index.places.get(place.owner)
  )
    if (place.slot === "onFailure" || place.slot === "ensure" || place.slot === "compensation")
      return { slot: place.slot, of: place.owner };
  return undefined;
}
