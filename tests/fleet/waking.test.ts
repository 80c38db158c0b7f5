import { describe, expect, it, vi } from "vitest";
import { findPgBouncer } from "../services/pgbouncer.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { findValkey } from "../services/valkey.ts";
import { barePair, dropSchema, medianOf, newSchema, type Pair, pairOf, rush } from "./waking.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 180_000 });

const [postgres, valkey, pgBouncer] = await Promise.all([sharedPostgresIfAny(), findValkey(), findPgBouncer()]);

const rounds = 9;
/** On a machine that is busy with other things: how much longer it may take than as many bare round trips. */
const timesBare = 12;

describe.skipIf(postgres === undefined || !valkey.available || !pgBouncer.available)(
  "an event that one host publishes wakes the workflow of another",
  () => {
    it("within 20 ms by NOTIFY or Valkey, and within a second behind a pooler without either", async () => {
      const { url } = postgres!;
      await using pooler = await pgBouncer.service!.start(url);
      await using server = await valkey.service!.start();
      const schemas = [newSchema(), newSchema(), newSchema()] as const;
      const [notify, push, poll] = schemas;
      await using pairs = new AsyncDisposableStack();
      for (const schema of schemas) pairs.defer(() => dropSchema(url, schema));
      const all: readonly (readonly [string, Pair])[] = [
        ["bare", pairs.use(await barePair(url))],
        ["notify", pairs.use(await pairOf({ url, schema: notify, notify: true }))],
        ["valkey", pairs.use(await pairOf({ url: pooler.url, schema: push, notify: false, valkeyUrl: server.url }))],
        ["pooler", pairs.use(await pairOf({ url: pooler.url, schema: poll, notify: false }))],
      ];
      const times: Record<string, number[]> = {};
      // By turns: what else the machine does then weighs on all alike. The first of each is not counted.
      for (let round = 0; round <= rounds; round += 1) {
        for (const [name, pair] of all) {
          const ms = await pair.wake();
          if (round > 0) (times[name] ??= []).push(ms);
        }
      }
      const medians = Object.fromEntries(Object.entries(times).map(([name, each]) => [name, medianOf(each)]));
      console.log(`from publish to wake, medians of ${rounds} rounds in ms: ${JSON.stringify(medians)}`);
      const most = Math.max(20, timesBare * medians["bare"]!);
      expect(medians["notify"]).toBeLessThan(most);
      expect(medians["valkey"]).toBeLessThan(most);
      expect(medians["pooler"]).toBeLessThan(1_000);
    });

    it("always, however closely the event and the wait for it follow one another", async () => {
      const { url } = postgres!;
      const schema = newSchema();
      const report = await rush({ url, schema, notify: true }, 300);
      await dropSchema(url, schema);
      console.log(`publish and subscribe at once: ${JSON.stringify(report)}`);
      expect(report.completed).toBe(300);
    });
  },
);
