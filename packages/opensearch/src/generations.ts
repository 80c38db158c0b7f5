import type { Runtime } from "@wfe/core/providers";
import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import { indexTemplate, type IndexMeta, mappingFormat } from "./mapping.ts";
import type { CheckedOptions } from "./options.ts";
import type { Requests } from "./requests.ts";
import type { OpenSearchConnection } from "./search.ts";

/** The index behind the alias. */
interface Generation {
  readonly index: string;
  readonly meta: IndexMeta;
}

/** Attempts to attach while others make and replace indexes too. */
const mostAttempts = 5;

/** Makes the indexes behind the alias, and moves it from one to the next. Many hosts may do so at once. */
export class Generations {
  readonly #requests: Requests;
  readonly #runtime: Runtime;
  readonly #options: CheckedOptions;

  constructor({ requests, runtime }: OpenSearchConnection, options: CheckedOptions) {
    this.#requests = requests;
    this.#runtime = runtime;
    this.#options = options;
  }

  /** Sees to it that the alias stands for an index of this store and format, and says which one that is. */
  async attach(store: string): Promise<string> {
    for (let attempts = 0; attempts < mostAttempts; attempts++) {
      const current = await this.#current();
      if (current !== undefined && current.meta.store !== store) throw this.#foreign();
      const format = current?.meta.format ?? 0;
      if (format > mappingFormat) throw this.#newer();
      if (current !== undefined && format === mappingFormat) return current.meta.made;
      await this.#make(store, current?.index);
    }
    throw new StoreError("SEARCH_BUSY", `${this.#options.where}: others replace the index all the time`, {
      outcome: "unknown",
      transient: true,
    });
  }

  /** Puts an empty index in the place of the one there is. */
  async replace(): Promise<void> {
    const current = await this.#current();
    if (current !== undefined) await this.#make(current.meta.store, current.index);
  }

  async #current(): Promise<Generation | undefined> {
    const { alias } = this.#options;
    const { status, body } = await this.#requests.send({ method: "GET", path: `/${alias}/_mapping`, expect: [404] });
    if (status === 404) return undefined;
    const [index] = Object.keys(body as object);
    if (index === undefined) return undefined;
    const meta = (body as Record<string, any>)[index]?.mappings?._meta?.wfe as IndexMeta | undefined;
    if (index === alias && meta === undefined && (await this.#isEmpty())) {
      // Made by OpenSearch itself: a deletion wants no alias, and where ours had been deleted, it has got an index instead.
      await this.#requests.send({ method: "DELETE", path: `/${alias}`, expect: [404] });
      return undefined;
    }
    if (meta === undefined || !index.startsWith(`${alias}-`)) throw this.#foreign();
    return { index, meta };
  }

  async #isEmpty(): Promise<boolean> {
    const { alias } = this.#options;
    await this.#requests.send({ method: "POST", path: `/${alias}/_refresh` });
    const { body } = await this.#requests.send({ method: "GET", path: `/${alias}/_count` });
    return body.count === 0;
  }

  /** The alias moves, and the index before goes, in one step. Where another host has been quicker, its index is as good. */
  async #make(store: string, before: string | undefined): Promise<void> {
    const { alias, shards, replicas } = this.#options;
    const number = before === undefined ? 1 : numberOf(before) + 1;
    await this.#requests.send({
      method: "PUT",
      path: `/_index_template/${alias}`,
      body: indexTemplate(alias, { shards, replicas }),
    });
    const index = `${alias}-${String(number).padStart(6, "0")}`;
    const meta: IndexMeta = { format: mappingFormat, store, made: this.#runtime.randomId() };
    const { status, body } = await this.#requests.send({
      method: "PUT",
      path: `/${index}`,
      body: { mappings: { _meta: { wfe: meta } } },
      expect: [400],
    });
    const type: unknown = body?.error?.type;
    if (status === 400 && type !== "resource_already_exists_exception") {
      throw new StoreError(
        "SEARCH_FAILED",
        `${this.#options.where}: the index \`${index}\` cannot be made: ${JSON.stringify(body?.error?.reason)}`,
        { outcome: "not-applied", transient: false },
      );
    }
    const actions: object[] = [{ add: { index, alias, is_write_index: true } }];
    if (before !== undefined) actions.push({ remove_index: { index: before } });
    await this.#requests.send({ method: "POST", path: "/_aliases", body: { actions } });
  }

  #newer(): StoreError {
    const { where, alias } = this.#options;
    return new StoreError(
      "SEARCH_NEWER_FORMAT",
      `${where}: the index \`${alias}\` was made by a newer WFE: upgrade this process`,
      { outcome: "not-applied", transient: false },
    );
  }

  #foreign(): InvalidOptionError {
    const { where, alias } = this.#options;
    return new InvalidOptionError(
      `${where}: the index \`${alias}\` is not this store's: give each store a name of its own, as in opensearch(url, { index: "..." }), or delete it where it is left over`,
    );
  }
}

function numberOf(index: string): number {
  return Number(/-(\d+)$/.exec(index)?.[1] ?? 0);
}
