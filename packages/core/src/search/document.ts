import type { WorkflowDefinition } from "../definition/definition.ts";
import type { StepView } from "../engine/step-summary.ts";
import type { StoredError } from "../engine/stored-error.ts";
import type { WorkflowRow } from "../providers/records.ts";
import type { SearchDocument } from "../providers/search-index.ts";
import { TermCollector } from "./collect.ts";
import { clean, terms } from "./terms.ts";

const mostFacetMembers = 1_000;
const deepestCause = 10;

/** What is known of a workflow when it is indexed. */
export interface SearchSource {
  /** Its status and the like are as the row says, which is what lists say too. */
  readonly row: WorkflowRow;
  readonly error: StoredError | undefined;
  /** Why it was suspended or terminated. */
  readonly reason: string | undefined;
  /** undefined where its journal cannot be read. */
  readonly data: unknown;
  /** Those that were reached. */
  readonly steps: readonly StepView[];
  /** Gives the names of the steps, where it is registered. */
  readonly definition: WorkflowDefinition | undefined;
}

/** Makes the document that a workflow is found by. */
export function searchDocument(source: SearchSource): SearchDocument {
  const { row, steps, definition } = source;
  const collector = new TermCollector();
  const { definitionId, version, status, tags, waitingFor } = row;

  // Filters first: they have to hold however much text there is.
  collector.term(terms.definition(definitionId));
  collector.term(terms.version(version));
  collector.term(terms.status(status));
  const events = waitingFor.slice(0, mostFacetMembers);
  for (const tag of tags) collector.term(terms.tag(tag));
  for (const { event, key } of events) {
    collector.term(terms.event(event));
    collector.term(terms.eventWith(event, key));
    collector.term(terms.eventKey(key));
  }
  const reached = steps.slice(0, mostFacetMembers);
  for (const { id, status: stepStatus } of reached) {
    collector.term(terms.step(id));
    collector.term(terms.stepWith(id, stepStatus));
  }

  for (const text of [row.id, definitionId, ...tags]) collector.words(text);
  for (const { event, key } of events) collector.words(`${event} ${key}`);
  if (source.reason !== undefined) collector.words(source.reason);
  addError(collector, source.error);
  for (const { id } of reached) {
    collector.words(id);
    const name = definition?.index.places.get(id)?.node.name;
    if (name !== undefined && name !== id) collector.words(name);
  }
  collector.data(source.data);

  return {
    namespace: row.namespace,
    id: row.id,
    createdAt: row.createdAt,
    completedAt: row.completedAt,
    terms: collector.terms,
    values: collector.values,
    facets: {
      definition: [clean(definitionId)],
      version: [`${clean(definitionId)}@${version}`],
      status: [status],
      tag: distinct(tags),
      step: distinct(reached.map(({ id }) => id)),
      waitingFor: distinct(events.map(({ event }) => event)),
    },
  };
}

/** Names, codes, messages and small fields, of the causes too; not the stacks, which name files and not what happened. */
function addError(collector: TermCollector, error: StoredError | undefined): void {
  for (let each = error, depth = 0; each !== undefined && depth < deepestCause; each = each.cause, depth++) {
    collector.words(each.name);
    collector.words(each.message);
    if (each.code !== undefined) collector.words(each.code);
    if (each.stepId !== undefined) collector.words(each.stepId);
    if (each.fields !== undefined) collector.data(each.fields, "error");
  }
}

function distinct(values: readonly string[]): readonly string[] {
  return [...new Set(values.map(clean))].slice(0, mostFacetMembers);
}
