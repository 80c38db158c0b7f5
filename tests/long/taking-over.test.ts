import { expect, it } from "vitest";
import { takingOver } from "../fleet/taking-over.ts";
import { medianOf } from "../fleet/waking.ts";

/** What the machine may add where it is busy with other things. */
const busyMs = 1_000;

it.each(
  (["postgres", "postgres+valkey", "sqlite+valkey"] as const).flatMap((store) => [
    // Without a lease of another length, a host has one of ten seconds.
    { store, how: "killed elsewhere", lease: "10s", withinMs: 11_000 } as const,
    { store, how: "killed elsewhere", lease: "2s", withinMs: 3_000 } as const,
    { store, how: "killed", lease: "60s", withinMs: 1_100 } as const,
    { store, how: "stopped", lease: "60s", withinMs: 1_000 } as const,
  ]),
)(
  "takes over the work of a host on $store that was $how, with a lease of $lease, within $withinMs ms",
  async ({ store, how, lease, withinMs }) => {
    const taken = await takingOver({ store, lease, how, times: 5 });
    console.log(`${store}, ${how}, lease ${lease}: taken over after ${taken.map(Math.round).join(", ")} ms`);
    expect(medianOf(taken)).toBeLessThan(withinMs + busyMs);
  },
);
