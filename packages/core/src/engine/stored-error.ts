import { copy } from "../codec/index.ts";
import { FatalError, WfeError } from "../errors.ts";
import { leaveUnheard } from "../thenable.ts";

/** An error as entries and rows hold it. */
export interface StoredError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly stepId?: string;
  readonly attempt?: number;
  /** Thrown as `FatalError`. */
  readonly fatal?: boolean;
  readonly cause?: StoredError;
  /** Its own enumerable fields, such as `path` or `statusCode`, as far as they can be stored and are small. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

const longestText = 16_384;
const deepestCause = 5;
const mostFields = 32;
const largestFieldBytes = 4_096;
const deepestField = 20;

/** Makes any thrown value storable: a non-error is named as such, long texts are cut, causes are kept to a depth of 5. */
export function storeError(
  thrown: unknown,
  where: { readonly stepId?: string | undefined; readonly attempt?: number | undefined } = {},
): StoredError {
  return {
    ...describe(thrown, 0),
    ...(where.stepId === undefined ? {} : { stepId: where.stepId }),
    ...(where.attempt === undefined ? {} : { attempt: where.attempt }),
  };
}

/** The error again, as an `Error` with its name, code, stack, cause and fields. */
export function reviveError(stored: StoredError): Error {
  const cause = stored.cause === undefined ? undefined : reviveError(stored.cause);
  const error =
    stored.code === undefined
      ? new Error(stored.message, cause === undefined ? undefined : { cause })
      : new WfeError(stored.code, stored.message, { cause });
  Object.defineProperty(error, "name", { value: stored.name, configurable: true, writable: true, enumerable: false });
  if (stored.stack !== undefined)
    Object.defineProperty(error, "stack", {
      value: stored.stack,
      configurable: true,
      writable: true,
      enumerable: false,
    });
  const { stepId, attempt } = stored;
  for (const [key, value] of Object.entries({ ...stored.fields, stepId, attempt })) {
    if (value !== undefined)
      Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: true });
  }
  return error;
}

function describe(thrown: unknown, depth: number): StoredError {
  if (!isError(thrown)) {
    leaveUnheard(thrown);
    return { name: "NonErrorThrown", message: cut(`a value that is not an error was thrown: ${preview(thrown)}`) };
  }
  const code = readText(thrown, "code");
  const stack = readText(thrown, "stack");
  const cause = read(thrown, "cause");
  const stepId = readText(thrown, "stepId");
  const attempt = read(thrown, "attempt");
  const fields = fieldsOf(thrown);
  return {
    name: readText(thrown, "name") ?? "Error",
    message: cut(readText(thrown, "message") ?? ""),
    ...(code === undefined ? {} : { code: cut(code) }),
    ...(stack === undefined ? {} : { stack: cut(stack) }),
    ...(stepId === undefined ? {} : { stepId }),
    ...(typeof attempt === "number" ? { attempt } : {}),
    ...(thrown instanceof FatalError ? { fatal: true } : {}),
    ...(cause === undefined || depth >= deepestCause ? {} : { cause: describe(cause, depth + 1) }),
    ...(fields === undefined ? {} : { fields }),
  };
}

/** These have places of their own, or would shadow what an error is. */
const ownPlaces: ReadonlySet<string> = new Set([
  "name",
  "message",
  "code",
  "stack",
  "cause",
  "stepId",
  "attempt",
  "__proto__",
]);

/** Accessors are not called, and what cannot be stored is left out: the error itself has to be stored in any case. */
function fieldsOf(error: object): Record<string, unknown> | undefined {
  const fields: Record<string, unknown> = {};
  let count = 0;
  for (const key of ownKeys(error)) {
    if (ownPlaces.has(key)) continue;
    const property = Object.getOwnPropertyDescriptor(error, key);
    if (property === undefined || property.value === undefined) continue;
    try {
      fields[key] = copy(property.value, { maxBytes: largestFieldBytes, maxDepth: deepestField });
    } catch {
      continue;
    }
    count += 1;
    if (count === mostFields) break;
  }
  return count === 0 ? undefined : fields;
}

/** A hostile error may be a Proxy whose traps throw. */
function ownKeys(error: object): readonly string[] {
  try {
    return Object.keys(error);
  } catch {
    return [];
  }
}

/** Also errors of another realm, or with a broken prototype. A revoked Proxy cannot even be asked. */
function isError(value: unknown): value is object {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
  } catch {
    return false;
  }
}

/** A hostile error may throw from its getters. */
function read(error: object, key: string): unknown {
  try {
    return Reflect.get(error, key);
  } catch {
    return undefined;
  }
}

function readText(error: object, key: string): string | undefined {
  const value = read(error, key);
  return typeof value === "string" ? value : undefined;
}

function preview(value: unknown): string {
  try {
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return `one of type ${typeof value} that cannot be shown`;
  }
}

function cut(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText)}… (cut)`;
}
