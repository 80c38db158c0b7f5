import { CancelledError, exitCodes } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** What ends a command from outside. */
export interface Interruption {
  /** Rejects with a `CancelledError` at the first signal; pending until then. */
  readonly interrupted: Promise<never>;
  /** From here on signals do what they do without us. */
  end(): void;
}

/** The first SIGINT, SIGTERM or SIGHUP asks to stop in good order, the second one ends the process. */
export function listenForSignals(terminal: Terminal): Interruption {
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  let reject: (error: Error) => void = () => {};
  const interrupted = new Promise<never>((_, rejectPromise) => {
    reject = rejectPromise;
  });
  // Nobody may be waiting when it comes.
  interrupted.catch(() => {});
  let isFirst = true;
  const heard = (signal: NodeJS.Signals): void => {
    if (!isFirst) process.exit(exitCodes.cancelled);
    isFirst = false;
    terminal.say(`${signal}: stopping; once more stops at once`);
    reject(new CancelledError("interrupted"));
  };
  for (const signal of signals) process.on(signal, heard);
  return {
    interrupted,
    end: () => {
      for (const signal of signals) process.off(signal, heard);
    },
  };
}
