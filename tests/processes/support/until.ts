import { setTimeout as pause } from "node:timers/promises";

/** What a wait is about, and how long it may take. */
export interface Patience {
  /** For the error, when it does not come true. */
  readonly what: string;
  readonly withinMs?: number;
  /** Told in the error: how things stood at the end. */
  readonly otherwise?: () => unknown;
}

/** Waits for a fact, looking every few milliseconds; fails when it does not come true in time. Gives the fact. */
export async function until<Fact>(
  { what, withinMs = 20_000, otherwise }: Patience,
  fact: () => Fact | Promise<Fact>,
): Promise<NonNullable<Fact>> {
  const since = performance.now();
  for (;;) {
    const found = await fact();
    if (found !== undefined && found !== null && found !== false) return found;
    if (performance.now() - since > withinMs) {
      const stand = otherwise === undefined ? "" : `: ${JSON.stringify(await otherwise(), undefined, 2)}`;
      throw new Error(`not within ${withinMs} ms: ${what}${stand}`);
    }
    await pause(10);
  }
}

/** Lets time pass, where the time itself is what a test is about. */
export { pause };
