/** An SDK, sampler or processor that throws is as good as none: a workflow is not to hear of it. */
export function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // Nobody is there to be told: the SDK has a log of its own.
  }
}
