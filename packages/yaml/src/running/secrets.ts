/** Where `${{ secret.NAME }}` comes from: a function, asked each time a step runs, or fixed values. */
export type SecretSource =
  | ((name: string) => string | undefined | Promise<string | undefined>)
  | Readonly<Record<string, string>>;

const mask = "***";

/**
 * Takes secrets out of all that leaves a step. Knows values as they are, in JSON, in URLs and line by line.
 *
 * A value that is part of a longer one does not keep that from being found: longer ones are looked for first.
 */
export class Masker {
  #values: readonly string[] = [];

  add(secret: string): void {
    if (secret === "") return;
    const lines = secret.split(/\r?\n/).filter((line) => line.trim().length >= 8);
    const forms = [secret, ...lines].flatMap((value) => [
      value,
      JSON.stringify(value).slice(1, -1),
      encodeURIComponent(wellFormed(value)),
    ]);
    this.#values = [...new Set([...this.#values, ...forms])].toSorted((a, b) => b.length - a.length);
  }

  get idle(): boolean {
    return this.#values.length === 0;
  }

  text(text: string): string {
    let masked = text;
    for (const value of this.#values) if (masked.includes(value)) masked = masked.replaceAll(value, mask);
    return masked;
  }

  /** A copy of a value with all its texts masked; the value itself where there is nothing to mask. */
  value(value: unknown): unknown {
    return this.idle ? value : this.#deep(value);
  }

  /** Masks an error in place: its message, its stack, its fields and its causes. */
  error(error: unknown): unknown {
    if (this.idle) return error;
    if (!(error instanceof Error)) return this.#deep(error);
    const seen = new Set<Error>();
    for (let each: unknown = error; each instanceof Error && !seen.has(each); each = each.cause) {
      seen.add(each);
      for (const key of new Set(["message", "stack", ...Object.keys(each)])) {
        const before: unknown = (each as unknown as Record<string, unknown>)[key];
        if (before === undefined || before instanceof Error) continue;
        Object.defineProperty(each, key, {
          value: this.#deep(before),
          writable: true,
          configurable: true,
          enumerable: key !== "message" && key !== "stack",
        });
      }
    }
    return error;
  }

  /** Up to where a text can be masked on its own: what comes after may make a secret of its end. */
  safeLength(text: string): number {
    let cut = text.length;
    for (const value of this.#values) {
      const from = Math.max(0, text.length - value.length + 1);
      for (let start = from; start < cut; start++) if (value.startsWith(text.slice(start))) cut = start;
    }
    // A secret that ends in what is held back is held back whole.
    for (let moved = true; moved;) {
      moved = false;
      for (const value of this.#values) {
        const start = text.indexOf(value, Math.max(0, cut - value.length + 1));
        if (start === -1 || start >= cut || start + value.length <= cut) continue;
        cut = start;
        moved = true;
      }
    }
    return cut;
  }

  #deep(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item) => this.#deep(item));
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [this.#deep(key), this.#deep(item)]));
    if (value instanceof Set) return new Set([...value].map((item) => this.#deep(item)));
    if (value instanceof Uint8Array) return this.#bytes(value);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.#deep(item)]));
  }

  #bytes(bytes: Uint8Array): Uint8Array {
    const text = Buffer.from(bytes).toString("latin1");
    const masked = this.#values.reduce(
      (before, value) => before.replaceAll(Buffer.from(value).toString("latin1"), mask),
      text,
    );
    return masked === text ? bytes : new Uint8Array(Buffer.from(masked, "latin1"));
  }
}

function wellFormed(text: string): string {
  return text.isWellFormed() ? text : text.toWellFormed();
}

/** A stream of chunks without secrets: what could be the beginning of one is held back until more comes. */
export class MaskedStream {
  readonly #masker: Masker;
  readonly #send: (chunk: string) => void;
  #held = "";

  constructor(masker: Masker, send: (chunk: string) => void) {
    this.#masker = masker;
    this.#send = send;
  }

  write(chunk: string): void {
    if (this.#masker.idle && this.#held === "") return this.#send(chunk);
    const text = this.#held + chunk;
    const safe = this.#masker.safeLength(text);
    this.#held = text.slice(safe);
    if (safe > 0) this.#send(this.#masker.text(text.slice(0, safe)));
  }

  end(): void {
    if (this.#held !== "") this.#send(this.#masker.text(this.#held));
    this.#held = "";
  }
}
