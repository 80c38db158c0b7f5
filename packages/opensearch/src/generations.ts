import { InvalidOptionError, StoreError } from "@wfe/core/providers";
import { indexTemplate, type IndexMeta, mappingFormat } from "./mapping.ts";
import type { CheckedOptions } from "./options.ts";
import type { Requests } from "./requests.ts";

/** The index behind the alias. */
interface Generation {
  readonly index: string;
  readonly meta: IndexMeta | undefined;
}

/** Makes the indexes behind the alias, and moves it from one to the next. Many hosts may do so at once. */
export class Generations {
  readonly #requests: Requests;
  readonly #options: CheckedOptions;

  constructor(requests: Requests, options: CheckedOptions) {
    this.#requests = requests;
    this.#options = options;
  }

  /** Sees to it that the alias stands for an index of this store and format; false: for a new one. */
  async attach(store: string): Promise<boolean> {
    const current = await this.#current();
    if (current === undefined) {
      await this.#make(1, store, undefined);
      return false;
    }
    const { meta } = current;
    if (meta === undefined || meta.store !== store) throw this.#foreign();
    if (meta.format > mappingFormat) {
      throw new StoreError(
        "SEARCH_NEWER_FORMAT",
        `${this.#options.where}: the index \`${this.#options.alias}\` was made by a newer WFE: upgrade this process`,
        { outcome: "not-applied", transient: false },
      );
    }
    if (meta.format === mappingFormat) return true;
    await this.#make(numberOf(current.index) + 1, store, current.index);
    return false;
  }

  /** Puts an empty index in the place of the one there is. */
  async replace(): Promise<void> {
    const current = await this.#current();
    if (current?.meta === undefined) return;
    await this.#make(numberOf(current.index) + 1, current.meta.store, current.index);
  }

  async #current(): Promise<Generation | undefined> {
    const { alias } = this.#options;
    const { status, body } = await this.#requests.send({ method: "GET", path: `/${alias}/_mapping`, expect: [404] });
    if (status === 404) return undefined;
    const [index] = Object.keys(body as object);
    if (index === undefined) return undefined;
    const meta = (body as Record<string, any>)[index]?.mappings?._meta?.wfe as IndexMeta | undefined;
    if (meta === undefined || !index.startsWith(`${alias}-`)) throw this.#foreign();
    return { index, meta };
  }

  /** The alias moves, and the index before goes, in one step. Where another host has been quicker, its index is as good. */
  async #make(number: number, store: string, before: string | undefined): Promise<void> {
    const { alias, shards, replicas } = this.#options;
    await this.#requests.send({
      method: "PUT",
      path: `/_index_template/${alias}`,
      body: indexTemplate(alias, { shards, replicas }),
    });
    const index = `${alias}-${String(number).padStart(6, "0")}`;
    const meta: IndexMeta = { format: mappingFormat, store };
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
