import { isOutputName } from "../shell/output-lines.ts";
import { DenoError } from "./deno-error.ts";

/** What the bootstrap sent: the outputs, or what the script threw. */
export type Frame =
  | { readonly outputs: Readonly<Record<string, unknown>> }
  | { readonly error: { readonly name: string; readonly message: string; readonly stack: string } };

/** Takes the one result line out of what a process prints. */
export interface FrameReader {
  push(chunk: Buffer): void;
  /** Gives on what could have been the beginning of a result. */
  end(): void;
  /** The text of the result; undefined as long as none came whole. */
  readonly body: string | undefined;
  /** Whether it is longer than the limit; then `body` stays undefined. */
  readonly tooLong: boolean;
}

/**
 * Gives on all that is no result to `onOutput`. A result begins with the nonce, wherever it stands, and ends with the line; only the first
 * counts.
 */
export function readFrame(nonce: string, maxBytes: number, onOutput: (bytes: Buffer) => void): FrameReader {
  const mark = Buffer.from(nonce);
  let held = Buffer.alloc(0);
  let state: "before" | "inside" | "after" = "before";
  let inside: Buffer[] = [];
  let insideBytes = 0;
  let body: string | undefined;
  let tooLong = false;

  const push = (chunk: Buffer): void => {
    if (state === "after") return onOutput(chunk);
    if (state === "inside") {
      const end = chunk.indexOf(10);
      const piece = end === -1 ? chunk : chunk.subarray(0, end);
      insideBytes += piece.length;
      if (insideBytes > maxBytes) tooLong = true;
      else inside.push(piece);
      if (end === -1) return;
      state = "after";
      if (!tooLong) body = Buffer.concat(inside).toString("utf8");
      inside = [];
      if (end + 1 < chunk.length) onOutput(chunk.subarray(end + 1));
      return;
    }
    const all = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const at = all.indexOf(mark);
    if (at !== -1) {
      held = Buffer.alloc(0);
      if (at > 0) onOutput(all.subarray(0, at));
      state = "inside";
      return push(all.subarray(at + mark.length));
    }
    const keep = beginning(all, mark);
    held = Buffer.from(all.subarray(all.length - keep));
    if (all.length > keep) onOutput(all.subarray(0, all.length - keep));
  };

  return {
    push,
    end: () => {
      if (state === "before" && held.length > 0) onOutput(held);
      held = Buffer.alloc(0);
    },
    get body() {
      return body;
    },
    get tooLong() {
      return tooLong;
    },
  };
}

/** How many of the last bytes may be the beginning of the mark. */
function beginning(bytes: Buffer, mark: Buffer): number {
  for (let length = Math.min(bytes.length, mark.length - 1); length > 0; length--) {
    if (bytes.subarray(bytes.length - length).equals(mark.subarray(0, length))) return length;
  }
  return 0;
}

/** Checks a result: it came from a process that ran a stranger's code. Throws `DENO_RESULT_INVALID`. */
export function parseFrame(body: string): Frame {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new DenoError(
      "DENO_RESULT_INVALID",
      "the result of the script is no JSON: the script has changed what writes it",
      { cause: error },
    );
  }
  if (!isBag(value)) throw invalid();
  if (Object.hasOwn(value, "error")) {
    const { error } = value;
    if (!isBag(error)) throw invalid();
    const { name, message, stack } = error;
    if (typeof name !== "string" || typeof message !== "string" || typeof stack !== "string") throw invalid();
    return { error: { name: name.slice(0, 200), message: message.slice(0, 8_000), stack: stack.slice(0, 16_000) } };
  }
  if (!Object.hasOwn(value, "outputs") || !isBag(value["outputs"])) throw invalid();
  const outputs: Record<string, unknown> = Object.create(null);
  for (const [name, output] of Object.entries(value["outputs"])) {
    if (!isOutputName(name)) throw invalid();
    outputs[name] = withoutPrototypes(output);
  }
  return { outputs };
}

function isBag(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A copy whose objects have no prototype: a key such as `__proto__` is a key like others, and `constructor` is not there. */
function withoutPrototypes(value: unknown, depth = 0): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth > 200)
    throw new DenoError(
      "DENO_RESULT_INVALID",
      "an output is nested more than 200 deep: flatten it, or write it to a file",
    );
  if (Array.isArray(value)) return value.map((item) => withoutPrototypes(item, depth + 1));
  const bag: Record<string, unknown> = Object.create(null);
  for (const [key, item] of Object.entries(value)) bag[key] = withoutPrototypes(item, depth + 1);
  return bag;
}

function invalid(): DenoError {
  return new DenoError(
    "DENO_RESULT_INVALID",
    "the result of the script has not the form of one: the script has changed what writes it",
  );
}
