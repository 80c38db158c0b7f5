import type { Check } from "./verdict.ts";
import type { World } from "./world.ts";

/** Runs of one shrinking: what is left then may not be the least, but somebody waits for it. */
const mostRuns = 400;

/** Runs a schedule without some of its parts. */
export type RunWithout = (without: ReadonlySet<string>) => Promise<World>;

/**
 * Leaves out of a schedule what its failure does not need: halves of what is left first, then smaller and smaller pieces. A piece
 * that fails in another way counts as needed.
 */
export async function shrink(
  failed: World,
  without: ReadonlySet<string>,
  run: RunWithout,
): Promise<ReadonlySet<string>> {
  const check = failed.verdict.violation?.check;
  let left = partsOf(failed, without);
  let kept = without;
  let runs = 0;
  for (let size = Math.ceil(left.length / 2); size >= 1 && runs < mostRuns;) {
    let hasShrunk = false;
    for (let from = 0; from < left.length && runs < mostRuns;) {
      const fewer = new Set([...kept, ...left.slice(from, from + size)]);
      const world = await run(fewer);
      runs += 1;
      if (failsAlike(world, check)) {
        kept = fewer;
        left = partsOf(world, kept);
        hasShrunk = true;
      } else from += size;
    }
    if (size === 1 && !hasShrunk) break;
    size = Math.min(size === 1 ? 1 : Math.floor(size / 2), Math.max(1, left.length));
  }
  return kept;
}

function partsOf(world: World, without: ReadonlySet<string>): readonly string[] {
  return world.parts().filter((part) => !without.has(part));
}

function failsAlike(world: World, check: Check | undefined): boolean {
  return world.verdict.violation?.check === check;
}
