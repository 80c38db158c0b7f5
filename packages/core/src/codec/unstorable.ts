import type { Segment } from "./path.ts";

/** Thrown inside the codec where a value, or a member of it, cannot be stored; `copy` makes an error with the path of it. */
export class Unstorable extends Error {
  /** What it is, as in "`data.x` is ...". */
  readonly what: string;
  /** What to do about it. */
  readonly advice: string;
  /** The member that is meant, if it is not the value being read itself. */
  readonly segment: Segment | undefined;
  /** Set where a limit was reached, and not where the value is of the wrong kind. */
  readonly limit: number | undefined;

  constructor(what: string, advice: string, options: { readonly segment?: Segment; readonly limit?: number } = {}) {
    super(what);
    this.what = what;
    this.advice = advice;
    this.segment = options.segment;
    this.limit = options.limit;
  }
}

/** An object that is not one of the kinds that can be stored, with its class named. */
export function unstorableObject(value: object): Unstorable {
  const name = classNameOf(value);
  switch (name) {
    case undefined:
      return new Unstorable(
        "an object with a prototype of its own",
        "store a plain object instead, such as `{ ...value }`",
      );
    case "Promise":
      return new Unstorable("a Promise", "`await` it first");
    case "Number":
    case "String":
    case "Boolean":
    case "BigInt":
    case "Symbol":
      return new Unstorable(`a ${name} object`, "store the primitive instead, `value.valueOf()`");
    case "RegExp":
      return new Unstorable("a RegExp", "store its `source` and `flags`");
    case "URL":
      return new Unstorable("a URL", "store its `href`");
    case "ArrayBuffer":
    case "SharedArrayBuffer":
      return new Unstorable(`a ${name}`, "store `new Uint8Array(buffer)`");
    default:
      if (ArrayBuffer.isView(value)) return new Unstorable(`a ${name}`, "store a Uint8Array, or an array of numbers");
      return new Unstorable(`an instance of \`${name}\``, "store a plain object instead, such as `{ ...value }`");
  }
}

/** Whether a genuine date, map, set or array is of the ordinary class, of whatever realm, and not of a subclass. */
export function isOrdinary(value: object, className: string): boolean {
  // By name: fake timers and other realms have their own `Date`. A faked date names the true one as its constructor.
  const constructor: unknown = value.constructor;
  return typeof constructor === "function" && constructor.name === className;
}

function classNameOf(value: object): string | undefined {
  const constructor: unknown = value.constructor;
  if (typeof constructor !== "function" || typeof constructor.name !== "string") return undefined;
  // An object made with `Object.create(other)` inherits the constructor of ordinary objects.
  return constructor.name === "" || constructor.name === "Object" ? undefined : constructor.name.slice(0, 100);
}
