import type { WorkflowFilter, WorkflowRow } from "../../providers/index.ts";
import { InvalidOptionError } from "../../providers/index.ts";
import { type Instance, toRow } from "./instance.ts";

/** The workflows of one namespace. */
export class NamespaceRows {
  readonly #byId: Map<string, Instance> = new Map();
  /** In the order of creation. */
  #ordered: Instance[] = [];

  find(id: string): Instance | undefined {
    return this.#byId.get(id);
  }

  add(instance: Instance): void {
    this.#byId.set(instance.id, instance);
    // At the end, unless the clock has been set back.
    this.#ordered.splice(this.#placeOf(instance), 0, instance);
  }

  delete(instance: Instance): void {
    this.#byId.delete(instance.id);
    const place = this.#placeOf(instance) - 1;
    if (this.#ordered[place] === instance) this.#ordered.splice(place, 1);
  }

  list(
    filter: WorkflowFilter,
    page: { readonly limit: number; readonly cursor?: string },
  ): { readonly items: readonly WorkflowRow[]; readonly cursor?: string } {
    const matches = matcher(filter);
    const items: WorkflowRow[] = [];
    let place = page.cursor === undefined ? this.#ordered.length : this.#placeBefore(page.cursor);
    for (place -= 1; place >= 0; place -= 1) {
      const instance = this.#ordered[place];
      if (instance === undefined || !matches(instance)) continue;
      const last = items.at(-1);
      // A cursor is given only where something follows it.
      if (items.length >= page.limit && last !== undefined) return { items, cursor: `${last.createdAt}.${last.run}` };
      if (items.length < page.limit) items.push(toRow(instance));
    }
    return { items };
  }

  count(filter: WorkflowFilter): number {
    return this.#ordered.filter(matcher(filter)).length;
  }

  /** How many are not after it. */
  #placeOf(instance: Place): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#ordered[middle];
      if (other !== undefined && isCreatedBefore(instance, other)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #placeBefore(cursor: string): number {
    const match = /^(-?\d+)\.(\d+)$/.exec(cursor);
    if (match === null) {
      throw new InvalidOptionError(
        `\`cursor\` is not one that a list has given: "${cursor}". Pass the last page's cursor`,
      );
    }
    return this.#placeOf({ createdAt: Number(match[1]), run: Number(match[2]) - 0.5 });
  }
}

interface Place {
  readonly createdAt: number;
  readonly run: number;
}

function isCreatedBefore(a: Place, b: Place): boolean {
  return a.createdAt === b.createdAt ? a.run < b.run : a.createdAt < b.createdAt;
}

function matcher(filter: WorkflowFilter): (instance: Instance) => boolean {
  const { definitionId, version, tag, createdAfter, createdBefore, waitingForEvent } = filter;
  const statuses: readonly string[] | undefined = typeof filter.status === "string" ? [filter.status] : filter.status;
  return (instance) =>
    (definitionId === undefined || instance.definitionId === definitionId) &&
    (version === undefined || instance.version === version) &&
    (statuses === undefined || statuses.includes(instance.status)) &&
    (tag === undefined || instance.tags.includes(tag)) &&
    (createdAfter === undefined || instance.createdAt > createdAfter) &&
    (createdBefore === undefined || instance.createdAt < createdBefore) &&
    (waitingForEvent === undefined || instance.waitingFor.some(({ event }) => event === waitingForEvent));
}
