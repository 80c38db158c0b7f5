import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A fact that a child told of its own accord. */
export interface Fact {
  readonly fact: string;
  readonly value: unknown;
}

/** What goes from a child to its parent. */
export type FromChild =
  | { readonly ready: true }
  | Fact
  | { readonly call: number; readonly value: unknown }
  | { readonly call: number; readonly error: ChildError };

/** An error of a child, as far as it can be sent. */
export interface ChildError {
  readonly name: string;
  readonly message: string;
  readonly code: string | undefined;
  readonly stack: string | undefined;
}

interface Call {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

const living = new Set<ChildProcess>();

// A test run that ends in the middle of a test must not leave processes behind.
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/**
 * A process of its own, run from the sources, whose script has called `serve`. It ends with the test that made it:
 *
 * ```ts
 * await using child = await Child.spawn(new URL("./runner.ts", import.meta.url));
 * ```
 */
export class Child implements AsyncDisposable {
  /** Everything that it has told, in order. */
  readonly facts: Fact[] = [];
  /** What it has written to standard error. */
  errors = "";
  readonly ended: Promise<Ended>;
  readonly #process: ChildProcess;
  readonly #ready: Promise<void>;
  readonly #calls: Map<number, Call> = new Map();
  readonly #listeners: Set<(fact: Fact) => void> = new Set();
  #lastCall = 0;

  private constructor(script: URL, options: unknown) {
    this.#process = fork(fileURLToPath(script), [JSON.stringify(options ?? null)], {
      execArgv: ["--conditions=wfe-source"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      serialization: "advanced",
    });
    living.add(this.#process);
    this.#process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.errors = (this.errors + text).slice(-20_000);
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ready = promise;
    this.#process.on("message", (message: FromChild) => {
      if ("ready" in message) resolve();
      else this.#hear(message);
    });
    this.ended = new Promise((end) => {
      this.#process.on("close", (code, signal) => {
        living.delete(this.#process);
        const error = new Error(`the process has ended (${signal ?? `code ${code}`})\n${this.errors}`);
        for (const { reject } of this.#calls.values()) reject(error);
        this.#calls.clear();
        end({ code, signal });
      });
    });
  }

  /** Begins a process, and does not wait for it. `options` is what `serve` gives to its function there. */
  static begin(script: URL, options?: unknown): Child {
    return new Child(script, options);
  }

  /** Gives a process whose script has been loaded. */
  static async spawn(script: URL, options?: unknown): Promise<Child> {
    const child = new Child(script, options);
    await child.ready();
    return child;
  }

  get pid(): number {
    return this.#process.pid ?? -1;
  }

  /** Waits until its script has been loaded. */
  async ready(): Promise<void> {
    const ended = this.ended.then(({ code, signal }) => {
      throw new Error(`the process ended before it was ready (${signal ?? `code ${code}`})\n${this.errors}`);
    });
    await Promise.race([this.#ready, ended]);
  }

  /** Calls one of the functions that it serves. Rejects with its error, or when it ends before it has answered. */
  call<Value = unknown>(name: string, argument?: unknown): Promise<Value> {
    this.#lastCall += 1;
    const call = this.#lastCall;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
      this.#process.send({ call, name, argument }, (error) => {
        if (error !== null) reject(error);
      });
    });
    // Of a process that is killed nobody waits for the answer.
    answer.catch(() => {});
    return answer as Promise<Value>;
  }

  /** Calls the listener with each fact that it tells from now on. */
  onFact(listener: (fact: Fact) => void): void {
    this.#listeners.add(listener);
  }

  /** Everything of one kind that it has told, in order. */
  told<Value = unknown>(name: string): Value[] {
    return this.facts.filter(({ fact }) => fact === name).map(({ value }) => value as Value);
  }

  kill(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Kills it where it still runs, and waits for its end. */
  async [Symbol.asyncDispose](): Promise<void> {
    // A stopped process hears nothing else.
    this.#process.kill("SIGKILL");
    await this.ended;
  }

  #hear(message: Exclude<FromChild, { readonly ready: true }>): void {
    if ("fact" in message) {
      this.facts.push(message);
      for (const listener of this.#listeners) listener(message);
      return;
    }
    const call = this.#calls.get(message.call);
    this.#calls.delete(message.call);
    if ("error" in message) call?.reject(errorOf(message.error));
    else call?.resolve(message.value);
  }
}

function errorOf({ name, message, code, stack }: ChildError): Error {
  const error = new Error(`${name}: ${message}\n(there) ${stack ?? ""}`);
  return code === undefined ? error : Object.assign(error, { code });
}
