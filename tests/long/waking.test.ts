import { describe, expect, it } from "vitest";
import { dropSchema, newSchema, rush } from "../fleet/waking.ts";
import { findPgBouncer } from "../services/pgbouncer.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { patienceMs } from "./long-run.ts";

const [postgres, pgBouncer] = await Promise.all([sharedPostgresIfAny(), findPgBouncer()]);

describe.each([
  { how: "with NOTIFY", pooled: false, isThere: postgres !== undefined },
  { how: "behind a pooler in transaction mode", pooled: true, isThere: postgres !== undefined && pgBouncer.available },
])("on two hosts $how", ({ pooled, how, isThere }) => {
  it.skipIf(!isThere)(
    "none of 10,000 events and waits for them at once is lost",
    async () => {
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
});
