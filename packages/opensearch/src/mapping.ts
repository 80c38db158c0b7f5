import type { SearchDocument, SearchFacet } from "@wfe/core/providers";

/** Of documents and mapping. An index of an older one is replaced by a new one, and filled anew. */
export const mappingFormat = 1;

/** What an index says of itself. */
export interface IndexMeta {
  readonly format: number;
  /** The store that its documents are of. */
  readonly store: string;
  /** Random: no other index has it. */
  readonly made: string;
}

const found = { type: "keyword", doc_values: false } as const;
const counted = { type: "keyword", index: false } as const;

const facetFields: Readonly<Record<SearchFacet, string>> = {
  definition: "definition",
  version: "version",
  status: "status",
  tag: "tags",
  step: "steps",
  waitingFor: "waitingFor",
};

export function facetField(facet: SearchFacet): string {
  return facetFields[facet];
}

/**
 * The same few fields for every workflow, and no others (`strict`): whatever its data is, it is in `terms` and `values`. So no
 * workflow can add a field, nor refuse one for its type.
 */
const properties = {
  run: { type: "long", index: false },
  namespace: { type: "keyword" },
  id: { type: "keyword" },
  createdAt: { type: "long" },
  completedAt: { type: "long" },
  terms: found,
  values: found,
  ...Object.fromEntries(Object.values(facetFields).map((field) => [field, counted])),
};

/** The body of the index template: what each index of the alias begins with. */
export function indexTemplate(
  alias: string,
  { shards, replicas }: { readonly shards: number; readonly replicas: number | undefined },
): object {
  return {
    index_patterns: [`${alias}-*`],
    // Above the catch-all templates that people have.
    priority: 200,
    template: {
      settings: {
        "index.number_of_shards": shards,
        ...(replicas === undefined
          ? { "index.auto_expand_replicas": "0-1" }
          : { "index.number_of_replicas": replicas }),
        // In the order of the usual page, which is then read from the front, however much matches.
        "index.sort.field": ["createdAt", "id"],
        "index.sort.order": ["desc", "asc"],
      },
      mappings: {
        dynamic: "strict",
        // What is searched is not given back: that is read from the store.
        _source: { excludes: ["terms", "values"] },
        properties,
      },
    },
  };
}

/** A document as it is sent. */
export function sourceOf(run: number, document: SearchDocument): object {
  const { namespace, id, createdAt, completedAt, terms, values, facets } = document;
  return {
    run,
    namespace,
    id,
    createdAt,
    completedAt,
    terms,
    values: values.map(({ path, value }) => valueTerm(path, value)),
    ...Object.fromEntries(
      (Object.keys(facetFields) as SearchFacet[]).map((facet) => [facetField(facet), facets[facet]]),
    ),
  };
}

const view = new DataView(new ArrayBuffer(8));

/** A number of data as a text, so that of one path the order of texts is that of numbers. */
export function valueTerm(path: string, value: number): string {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  // IEEE 754: with the sign turned round, and negative ones turned round as a whole, the order is that of the bits.
  const sortable = bits >> 63n === 0n ? bits | (1n << 63n) : ~bits & 0xffff_ffff_ffff_ffffn;
  return `${path}\u001f${sortable.toString(16).padStart(16, "0")}`;
}
