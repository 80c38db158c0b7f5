// The entry of every Deno step: trusted, and the only file that Deno loads without asking for permission. It runs in Deno, not in
// Node. It takes one line from standard input, imports the script in it as a `data:` module, whose own imports are then
// checked like any other access, and writes the result as one line that only this process and the host can tell from output.
//
// What the script may have changed (prototypes, globals) is not used after it began: everything needed is captured here.

interface Header {
  readonly nonce: string;
  readonly source: string;
  readonly name: string;
  readonly mediaType: string;
  readonly data: Record<string, unknown>;
  readonly inputs: Record<string, unknown>;
  readonly item?: unknown;
  readonly matrix?: Record<string, unknown>;
  readonly maxResult: number;
  /** Where relative paths of grants start from; there where some are granted. */
  readonly folder?: string;
}

interface DenoNamespace {
  readonly stdin: { readSync(bytes: Uint8Array): number | null };
  readonly stdout: { writeSync(bytes: Uint8Array): number };
  readonly errors: { readonly NotCapable: object };
  inspect(value: unknown, options: object): string;
  readTextFile(path: string): Promise<string>;
  exit(code: number): never;
}

{
  const global = globalThis as unknown as {
    Deno: DenoNamespace;
    Worker?: unknown;
    addEventListener(type: string, listener: (event: any) => void): void;
    btoa(text: string): string;
  };
  const deno = global.Deno;
  const { stringify, parse } = JSON;
  const { apply, defineProperty, setPrototypeOf } = Reflect;
  const { freeze, hasOwn } = Object;
  const TextOf = String;
  const Fault = TypeError;
  const encoder = new TextEncoder();
  const encode = encoder.encode.bind(encoder);
  const { stdout } = deno;
  const write = stdout.writeSync.bind(stdout);
  const subarray = Uint8Array.prototype.subarray;
  const test = RegExp.prototype.test;
  const split = String.prototype.split;
  const exit = deno.exit.bind(deno);
  const readTextFile = deno.readTextFile.bind(deno);
  const inspect = deno.inspect.bind(deno);
  const isError = (value: unknown): value is Error => value instanceof Error;

  const header = readHeader();
  const { nonce, maxResult } = header;

  let finished = false;
  let sent = false;
  let outputs = "";
  let outputCount = 0;

  /** Blocks: nothing else is there to be done, and no code of the script has run. */
  function readHeader(): Header {
    const decoder = new TextDecoder();
    const bytes = new Uint8Array(65_536);
    let text = "";
    while (!text.endsWith("\n")) {
      const length = deno.stdin.readSync(bytes);
      // The host has gone, or does not need this spare process any more.
      if (length === null) return deno.exit(0);
      text += decoder.decode(bytes.subarray(0, length), { stream: true });
    }
    return parse(text) as Header;
  }

  function print(text: string): void {
    const bytes = encode(text);
    for (let from = 0; from < bytes.length;) from += write(apply(subarray, bytes, [from]));
  }

  function send(body: string): void {
    if (sent) return;
    sent = true;
    print(`${nonce}${body}\n`);
  }

  function sendError(error: unknown): void {
    let name = "Error";
    let message = "";
    let stack = "";
    // The error is the script's: looking at it may throw.
    try {
      if (isError(error)) {
        name = TextOf(error.name);
        message = TextOf(error.message);
        stack = TextOf(error.stack);
      } else message = typeof error === "string" ? error : inspect(error, { depth: 2 });
    } catch {
      message ||= "the script threw something that cannot be looked at";
    }
    send(`{"error":{"name":${stringify(name)},"message":${stringify(message)},"stack":${stringify(stack)}}}`);
  }

  /** Denials say so in the words that scripts look for. */
  class PermissionDenied extends Error {
    constructor(message: string) {
      super(`Permission denied: ${message}`);
    }
  }
  setPrototypeOf(deno.errors.NotCapable, PermissionDenied);

  const namePattern = /^[A-Za-z_][A-Za-z0-9_.-]{0,255}$/;

  function setOutput(name: string, value: unknown): void {
    if (
      typeof name !== "string" ||
      apply(test, namePattern, [name]) !== true ||
      name === "__proto__" ||
      name === "constructor" ||
      name === "prototype"
    ) {
      throw new Fault(
        `an output's name must be letters, digits, "_", "-" and "." and begin with no digit, got ${inspect(name, {})}`,
      );
    }
    const text = stringify(value === undefined ? null : value);
    if (typeof text !== "string")
      throw new Fault(`the output "${name}" is a ${typeof value}, which JSON has no form for`);
    const next = `${outputs}${outputCount === 0 ? "" : ","}${stringify(name)}:${text}`;
    if (next.length > maxResult)
      throw new Fault(`the outputs are larger than ${maxResult} characters: write them to a file`);
    outputs = next;
    outputCount++;
  }

  /** A value of the data by a path: as an exact key first, then by its parts. */
  function lookUp(bag: Record<string, unknown>, path: string): unknown {
    if (hasOwn(bag, path)) return bag[path];
    const parts = apply(split, path, ["."]) as string[];
    let value: unknown = bag;
    for (let at = 0; at < parts.length; at++) {
      const part = parts[at] as string;
      if (typeof value !== "object" || value === null || !hasOwn(value, part)) return undefined;
      value = (value as Record<string, unknown>)[part];
    }
    return value;
  }

  function getData(path?: string): unknown {
    return path === undefined ? header.data : lookUp(header.data, TextOf(path));
  }

  function log(...values: unknown[]): void {
    let line = "";
    for (let at = 0; at < values.length; at++) {
      const value = values[at];
      line += `${at === 0 ? "" : " "}${typeof value === "string" ? value : inspect(value, { depth: 6 })}`;
    }
    print(`${line}\n`);
  }

  const rooted = /^\//;

  /** A path as grants have it. The working folder is an empty one, to which nothing is relative that could be meant. */
  function absolute(path: string): string {
    const { folder } = header;
    if (folder === undefined || typeof path !== "string" || apply(test, rooted, [path]) === true) return path;
    return `${folder}/${path}`;
  }

  const api: Record<string, unknown> = {
    getData,
    setOutput,
    log,
    inputs: header.inputs,
    item: header.item,
    matrix: header.matrix,
    folder: header.folder,
  };
  const globals: Record<string, unknown> = {
    Wfe: freeze(api),
    inputs: () => header.inputs,
    output: setOutput,
    log,
    readFile: (path: string) => readTextFile(absolute(path)),
  };
  for (const name of Object.keys(globals)) {
    defineProperty(globalThis, name, { value: globals[name], writable: true, configurable: true, enumerable: false });
  }
  // Under the memory limit a worker brings the whole process down: without the name, the script gets an error it can understand.
  delete global.Worker;

  // First of all listeners, so that none of the script's can keep it from being heard.
  global.addEventListener("beforeunload", () => {
    if (finished) send(`{"outputs":{${outputs}}}`);
    else
      sendError("the script waits for something that never comes: a top-level `await` whose promise is never settled");
  });
  const fail = (event: { error?: unknown; reason?: unknown; preventDefault(): void }): void => {
    event.preventDefault();
    sendError(event.error ?? event.reason);
    exit(1);
  };
  global.addEventListener("error", fail);
  global.addEventListener("unhandledrejection", fail);

  let url = `data:${header.mediaType};base64,`;
  {
    const bytes = encode(header.source);
    let binary = "";
    for (let from = 0; from < bytes.length; from += 8_192)
      binary += String.fromCharCode(...bytes.subarray(from, from + 8_192));
    url += global.btoa(binary);
  }
  try {
    await import(url);
    finished = true;
  } catch (error) {
    sendError(error);
    exit(1);
  }
}
