import { expect, it } from "vitest";
import { playInterleavings } from "../events/interleaving.ts";
import { stores } from "../support/stores.ts";

/** Of so many at a time, which share their hosts. */
const readers = 50;

it.each([
  { name: "memory", interleavings: 10_000 },
  { name: "sqlite", interleavings: 1_000 },
])("events on $name: none lost, none read twice, all in order, in $interleavings interleavings", async (share) => {
  const store = stores.find(({ name }) => name === share.name);
  expect(store).toBeDefined();
  if (store === undefined) return;
  // Behind those that the everyday tests play.
  const first = 1_000;
  const worlds = share.interleavings / readers;
  for (let seed = first; seed < first + worlds; seed += 1) await playInterleavings(store, seed, readers);
});
