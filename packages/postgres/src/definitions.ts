import type { Store } from "./store.ts";

/** An entry of the dictionary of definitions. Entries are added, and never changed or removed. */
export interface Definition {
  readonly id: string;
  readonly version: number;
  readonly hash: string;
  readonly format: number;
}

/**
 * What is known of the dictionary. It is added to in transactions of its own, so what is known stays true, and on a connection
 * that is kept: who asks may have the last ones of the pool.
 */
export class KnownDefinitions {
  readonly #numbers: Map<string, number> = new Map();

  /** The number of a definition that is known already; `learn` makes it so. */
  numberOf(definition: Definition): number {
    return this.#numbers.get(keyOf(definition)) ?? 0;
  }

  /** Makes sure that these have numbers. */
  async learn(store: Store, definitions: Iterable<Definition>): Promise<void> {
    for (const definition of definitions) {
      const key = keyOf(definition);
      if (this.#numbers.has(key)) continue;
      const { id, version, hash, format } = definition;
      const number = await store.writeJson<number>(
        store.committer,
        "SELECT $s.wfe_definition($1, $2::bigint, $3, $4::integer)::text AS json",
        [id, version, hash, format],
      );
      if (number !== null) this.#numbers.set(key, number);
    }
  }
}

function keyOf({ id, version, hash, format }: Definition): string {
  return `${format}:${version}:${hash}:${id}`;
}
