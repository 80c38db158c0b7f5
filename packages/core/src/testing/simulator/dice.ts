import { seededRandom } from "../test-runtime.ts";

/** Choices that depend on a seed alone. */
export interface Dice {
  /** In [0, 1). */
  readonly roll: () => number;
  /** A whole number from 0, below the bound. */
  below(bound: number): number;
  /** A whole number, both ends included. */
  between(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<Item>(from: readonly Item[]): Item;
}

/**
 * The choices of one kind that a schedule makes. Each kind has a stream of its own, so that to leave out an operation does not
 * change what latencies the others meet more than it must.
 */
export function dice(seed: number, stream: string): Dice {
  const roll = seededRandom(mixed(seed, stream));
  const below = (bound: number): number => Math.floor(roll() * bound);
  return {
    roll,
    below,
    between: (least, most) => least + below(most - least + 1),
    chance: (probability) => roll() < probability,
    pick: <Item>(from: readonly Item[]): Item => from[below(from.length)] as Item,
  };
}

/** FNV-1a over the name, begun from the seed. */
function mixed(seed: number, stream: string): number {
  let hash = Math.imul(seed ^ 0x811c9dc5, 0x9e3779b1);
  for (let place = 0; place < stream.length; place += 1) {
    hash = Math.imul(hash ^ stream.charCodeAt(place), 0x01000193);
  }
  return (hash ^ (hash >>> 15)) >>> 0;
}
