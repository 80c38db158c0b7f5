import { describe, expect, it, vi } from "vitest";
import { sharedPostgresIfAny } from "../services/postgres.ts";
import { takingOver } from "./taking-over.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 120_000 });

const postgres = await sharedPostgresIfAny();
/** What the machine may add where it is busy with other things. */
const busyMs = 1_500;

describe.skipIf(postgres === undefined)("the work of a host on PostgreSQL is taken over", () => {
  it.each([
    {
      how: "killed elsewhere",
      lease: "2s",
      withinMs: 3_000,
      title: "within its lease and a second, where it was killed",
    },
    { how: "killed", lease: "60s", withinMs: 1_100, title: "at once, where its process is seen to be gone" },
    { how: "stopped", lease: "60s", withinMs: 1_000, title: "within a second, where it was stopped" },
  ] as const)("$title", async ({ how, lease, withinMs }) => {
    const [taken] = await takingOver({ store: "postgres", lease, how, times: 1 });
    expect(taken).toBeLessThan(withinMs + busyMs);
  });
});
