import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { event, workflow, WorkflowHost, type WorkflowHostOptions } from "@wfe/core";
import type { Provider, SearchIndex } from "@wfe/core/providers";
import { memory, type TestClock } from "@wfe/core/testing";
import { postgres } from "@wfe/postgres";
import { sqlite } from "@wfe/sqlite";
import { afterAll } from "vitest";
import { PostgresSchemas } from "../services/postgres-schemas.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";

/** A store that brings an index, in which any number of hosts meet. */
export interface Place {
  readonly name: string;
  open(): { connect(options?: { readonly search?: boolean }): Provider; remove(): Promise<void> | void };
}

const server = await sharedPostgresIfAny();
const schemas = server === undefined ? undefined : new PostgresSchemas(server.url);
if (schemas !== undefined) afterAll(() => schemas.end());

export const places: readonly Place[] = [
  {
    name: "memory",
    open: () => {
      const shared = memory();
      const { search: _, ...without } = shared;
      return { connect: ({ search = true } = {}) => (search ? shared : without), remove: () => {} };
    },
  },
  {
    name: "sqlite",
    open: () => {
      const folder = mkdtempSync(join(tmpdir(), "wfe-search-"));
      return {
        connect: (options = {}) => sqlite(join(folder, "wfe.db"), options),
        remove: () => rmSync(folder, { recursive: true, force: true }),
      };
    },
  },
  ...(server === undefined || schemas === undefined
    ? []
    : [
        {
          name: "postgres",
          open: () => {
            const schema = schemas.take();
            return {
              connect: (options = {}) => postgres(server.url, { schema, ...options }),
              remove: () => schemas.giveBack(schema),
            };
          },
        },
      ]),
];

export const approved = event<{ by: string }>("order.approved");

export interface Order {
  readonly customer: string;
  readonly amount: number;
  readonly at?: Date;
}

/** Charges, which fails above 1,000 and waits for approval above 100. */
export const order = workflow<Order>()
  .startWith(function charge(data: Order) {
    if (data.amount > 1_000) throw new RangeError(`card of ${data.customer} declined`);
    return { chargeId: `ch-${data.amount}` };
  })
  .name("Charge the card")
  .as("charge")
  .ifDo(
    (data) => data.amount > 100,
    (b) => b.waitFor(approved, (data) => data.customer),
  )
  .build("order", 2);

export function hostOn(providers: readonly Provider[], options: Partial<WorkflowHostOptions> = {}): WorkflowHost {
  return new WorkflowHost({ providers, workflows: [order], log: quiet, ...options });
}

export const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** An index that does as it is told, over one that works. */
export interface MoodyIndex {
  readonly provider: Provider;
  mood: "well" | "failing" | "hanging";
  /** What was asked of it. */
  calls: number;
}

export function moodyIndex(name = "moody"): MoodyIndex {
  const inner = memory({ name });
  const { search } = inner;
  if (search === undefined) throw new Error("memory() has an index");
  const moody = { mood: "well", calls: 0 } as { mood: MoodyIndex["mood"]; calls: number };
  const moodily =
    <Args extends readonly unknown[], Result>(call: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      moody.calls += 1;
      if (moody.mood === "failing") throw new Error("the index is down");
      if (moody.mood === "hanging") await new Promise(() => {});
      return call(...args);
    };
  const index: SearchIndex = {
    name,
    attach: moodily(search.attach),
    write: moodily(search.write),
    refresh: moodily(search.refresh),
    find: moodily(search.find),
    count: moodily(search.count),
    clear: moodily(search.clear),
  };
  const provider: Provider = {
    name,
    search: index,
    open: (context) => inner.open(context),
    close: () => inner.close(),
    ping: async () => {},
  };
  return Object.assign(moody, { provider });
}

/** Advances until nothing is left to be indexed. */
export async function indexed(host: WorkflowHost, clock: TestClock): Promise<void> {
  for (let steps = 0; steps < 200; steps++) {
    await clock.advance(500);
    const { search } = await host.health();
    if (search?.pending === 0 && !search.rebuilding) return;
  }
  throw new Error("the outbox does not empty");
}
