/** The middle of some numbers: what one slow measurement does not move. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/**
 * Measures, and up to three times again, until a measurement is good enough, and gives the best. What a machine does beside makes numbers
 * worse, never better, so one good measurement shows that the code can do it.
 */
export async function bestOf<Measured>(
  measure: () => Promise<Measured>,
  worse: (measured: Measured) => number,
  goodEnough: number,
): Promise<Measured> {
  let best = await measure();
  for (let times = 1; times <= 3 && worse(best) > goodEnough; times += 1) {
    const next = await measure();
    if (worse(next) < worse(best)) best = next;
  }
  return best;
}
