import { expect, it } from "vitest";
import { crowd } from "./crowd.ts";

it("lets many processes start, publish and read on one file without an error", async () => {
  const { errors, lost, ...figures } = await crowd({ clients: 5, forMs: 4_000 });
  console.log(`clients on one file: ${JSON.stringify(figures)}`);
  expect({ errors, lost }).toEqual({ errors: [], lost: [] });
  expect(figures.started).toBeGreaterThan(20);
}, 90_000);
