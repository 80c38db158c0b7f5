import { expect, it } from "vitest";
import { dropSchema, newSchema, rush } from "../fleet/waking.ts";
import { findPgBouncer } from "../services/pgbouncer.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { patienceMs } from "./long-run.ts";

const [postgres, pgBouncer] = await Promise.all([sharedPostgresIfAny(), findPgBouncer()]);

it.skipIf(postgres === undefined).each([
  { how: "with NOTIFY", pooled: false },
  { how: "behind a pooler in transaction mode", pooled: true },
])(
  "of 10,000 events and waits for them at once, on two hosts $how, none is lost",
  async ({ pooled, how }) => {
    if (pooled && !pgBouncer.available) return;
    const { url } = postgres!;
    const schema = newSchema();
    await using pooler = pooled ? await pgBouncer.service!.start(url) : undefined;
    const report = await rush({ url: pooler?.url ?? url, schema, notify: !pooled }, 10_000);
    await dropSchema(url, schema);
    console.log(`publish and subscribe at once, ${how}: ${JSON.stringify(report)}`);
    expect(report.completed).toBe(10_000);
  },
  patienceMs,
);
