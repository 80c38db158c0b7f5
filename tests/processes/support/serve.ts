import { flushCompileCache } from "node:module";
import type { ChildError, FromChild } from "./child.ts";

/** Functions that the parent calls. What they take and give is copied. */
export type Served = Readonly<Record<string, (argument: any) => unknown>>;

/** The options that the parent gave with the script. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- what a parent gives is known to the script
export function optionsOf<Options>(): Options {
  return JSON.parse(process.argv[2] ?? "null") as Options;
}

/** Lets the parent call these functions, until it ends or closes the channel. */
export function serve(functions: Served): void {
  process.on("message", (message: { readonly call: number; readonly name: string; readonly argument: unknown }) => {
    void answer(functions, message);
  });
  // A process whose parent is gone is of no use to anyone.
  process.on("disconnect", () => process.kill(process.pid, "SIGKILL"));
  // It would be written at the end only, which a killed process does not live to see.
  flushCompileCache();
  send({ ready: true });
}

/** Tells the parent something that it did not ask for. */
export function tell(fact: string, value: unknown): void {
  send({ fact, value });
}

async function answer(
  functions: Served,
  { call, name, argument }: { readonly call: number; readonly name: string; readonly argument: unknown },
): Promise<void> {
  try {
    const served = functions[name];
    if (served === undefined) throw new TypeError(`there is no function ${name}`);
    send({ call, value: await served(argument) });
  } catch (error) {
    send({ call, error: describe(error) });
  }
}

function describe(error: unknown): ChildError {
  if (!(error instanceof Error)) {
    return { name: "not an error", message: String(error), code: undefined, stack: undefined };
  }
  const code = "code" in error ? String(error.code) : undefined;
  return { name: error.name, message: error.message, code, stack: error.stack };
}

function send(message: FromChild): void {
  // The parent may have gone: then there is nobody to tell.
  if (process.connected) process.send?.(message);
}
