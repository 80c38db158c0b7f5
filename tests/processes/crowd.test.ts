import { expect, it, vi } from "vitest";
import { crowd } from "./crowd.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

it("lets many processes start, publish and read on one file without an error", async () => {
  const { errors, lost, ...figures } = await crowd({ clients: 5, forMs: 4_000 });
  console.log(`clients on one file: ${JSON.stringify(figures)}`);
  expect({ errors, lost }).toEqual({ errors: [], lost: [] });
  expect(figures.started).toBeGreaterThanOrEqual(figures.clients);
});
