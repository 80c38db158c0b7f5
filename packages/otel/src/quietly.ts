/** An SDK, sampler or processor that throws is as good as none: a workflow is not to hear of it. */
export function quietly(tell: () => void): void {
  try {
    tell();
  } catch {
    // Nobody is there to be told: the SDK has a log of its own.
  }
}

/** The same for what has a value: where it throws or gives nothing, what does nothing. */
export function orElse<Value>(make: () => Value | undefined, nothing: Value): Value {
  try {
    return make() ?? nothing;
  } catch {
    return nothing;
  }
}
