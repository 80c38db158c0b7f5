/** What came first. */
export type Settled<T> =
  | { readonly kind: "done"; readonly value: T }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "aborted" }
  | { readonly kind: "timeout" };

/**
 * Waits for a promise, a signal or a time, whichever is first; never rejects, and leaves neither listener nor timer behind.
 *
 * Real time: it is for processes, which know no other. Any `timeoutMs` is fine, also beyond the 2^31-1 of `setTimeout`.
 */
export function settled<T>(what: {
  readonly done: Promise<T>;
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
}): Promise<Settled<T>> {
  const { done, signal, timeoutMs } = what;
  return new Promise((resolve) => {
    let timer: NodeJS.Timeout | undefined;
    const end = (result: Settled<T>): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      resolve(result);
    };
    const onAbort = (): void => end({ kind: "aborted" });
    const wait = (leftMs: number): void => {
      const stepMs = Math.min(leftMs, 2 ** 30);
      timer = setTimeout(() => (leftMs > stepMs ? wait(leftMs - stepMs) : end({ kind: "timeout" })), stepMs);
    };
    if (signal?.aborted === true) return onAbort();
    signal?.addEventListener("abort", onAbort);
    if (timeoutMs !== undefined) wait(timeoutMs);
    done.then(
      (value) => end({ kind: "done", value }),
      (error: unknown) => end({ kind: "failed", error }),
    );
  });
}
