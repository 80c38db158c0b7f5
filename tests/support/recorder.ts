import type { StepContext } from "@wfe/core";

/** Steps that leave a trace. */
export interface Recorder {
  /** The names of the steps that ran, in order. */
  readonly ran: string[];
  /** How often a step ran. */
  count(name: string): number;
  /** How often each step ran. */
  counts(): Record<string, number>;
  /** A step that notes its name and gives `output`. Its function has the name, so the step's id is the name too. */
  step(name: string): () => undefined;
  step<Output>(name: string, output: Output): () => Output;
  /** A step that notes its name and throws, the first `times` times. */
  failing(name: string, times?: number): () => undefined;
  /** A step that notes its name when it begins, and `name, ended` when it has been let go on. */
  gated(name: string): (() => Promise<undefined>) & Gate;
  /** Forgets what ran. */
  clear(): void;
}

/** Something that waits to be let go on. */
export interface Gate {
  open(): void;
}

/** The error that failing steps throw. */
class Refused extends Error {
  override readonly name: string = "Refused";
}

export function recorder(): Recorder {
  const ran: string[] = [];
  const count = (name: string): number => ran.filter((each) => each === name).length;
  return {
    ran,
    count,
    counts: () => Object.fromEntries(ran.map((name) => [name, count(name)])),
    step: <Output>(name: string, output?: Output) =>
      named(name, () => {
        ran.push(name);
        return output as Output;
      }),
    failing: (name: string, times = Number.POSITIVE_INFINITY) => {
      let left = times;
      return named(name, () => {
        ran.push(name);
        left -= 1;
        if (left >= 0) throw new Refused(`${name} refused`);
        return undefined;
      });
    },
    gated: (name: string) => {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      const body = named(name, async () => {
        ran.push(name);
        await promise;
        ran.push(`${name}, ended`);
        return undefined;
      });
      return Object.assign(body, { open: () => resolve(undefined) });
    },
    clear: () => {
      ran.length = 0;
    },
  };
}

/** A body that never returns, and ends when it is told to stop. */
export async function untilStopped(_input: unknown, ctx: Pick<StepContext, "signal">): Promise<never> {
  return new Promise((_, reject) => {
    ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error), { once: true });
  });
}

/** Gives a function a name, from which its step's id is made. */
function named<Body extends (...args: never) => unknown>(name: string, body: Body): Body {
  return Object.defineProperty(body, "name", { value: name });
}
