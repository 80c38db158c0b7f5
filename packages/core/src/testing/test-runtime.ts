import { randomBytes } from "node:crypto";
import type { Runtime } from "../providers/index.ts";
import { TestClock } from "./test-clock.ts";

/** A runtime with a clock that stands still, and random numbers that are the same in every run. Ids are unique all the same. */
export function testRuntime(
  options: { readonly clock?: TestClock; readonly seed?: number } = {},
): Runtime & { readonly clock: TestClock } {
  const clock = options.clock ?? new TestClock();
  return { clock, random: seededRandom(options.seed ?? 1), randomId: () => randomBytes(16).toString("base64url") };
}

/** Numbers in [0, 1) that depend on the seed alone. Mulberry32, by Tommy Ettinger (public domain). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
