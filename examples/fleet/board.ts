import type { LifecycleEvent } from "@wfe/core";

/** Who runs what, by what the hosts tell. */
export class Board {
  readonly #names: readonly string[];
  /** Of each parcel, who had it last, and for what. */
  readonly #running: Map<string, { readonly host: string; readonly text: string }> = new Map();
  readonly #marks: Map<string, string> = new Map();
  #arrived = 0;

  constructor(names: readonly string[]) {
    this.#names = names;
  }

  began(event: LifecycleEvent): void {
    const text = `${event.workflowId.split("-").at(-1)} ${event.stepName}${(event.attempt ?? 1) > 1 ? " (again)" : ""}`;
    // Whoever began it last has it.
    this.#running.set(event.workflowId, { host: this.#hostOf(event), text });
  }

  arrived(id: string): void {
    this.#running.delete(id);
    this.#arrived += 1;
  }

  /** What a host runs now. */
  of(name: string): readonly string[] {
    return [...this.#running.values()].filter(({ host }) => host === name).map(({ text }) => text);
  }

  /** Something to be said of a host. */
  mark(name: string, mark: string | undefined): void {
    if (mark === undefined) this.#marks.delete(name);
    else this.#marks.set(name, mark);
  }

  show(): void {
    console.log(`   --- ${this.#arrived} have arrived`);
    for (const name of this.#names) {
      const mark = this.#marks.get(name);
      console.log(`   ${name}${mark === undefined ? "" : ` [${mark}]`}: ${this.of(name).join(", ")}`);
    }
  }

  /** Hosts are named in events with a random part behind. */
  #hostOf({ host }: LifecycleEvent): string {
    return this.#names.find((name) => host.startsWith(name)) ?? host;
  }
}
