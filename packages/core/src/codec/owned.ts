/**
 * Which values are ours: deeply frozen copies that nobody can change, so that they are never copied, and rarely even
 * walked, a second time.
 */

/** What is known about an owned value without walking it. */
export interface Info {
  /** Whether it holds anything that plain JSON cannot say, and so needs tags when encoded. */
  rich: boolean;
  /** Whether it holds bytes, which cannot be frozen, and so must be copied when handed out. */
  bytes: boolean;
  /** Its approximate encoded size in bytes; see `sizeOf`. */
  size: number;
  /** Levels of containers, itself included: 1 for `{}`, 2 for `[[]]`. */
  depth: number;
}

export function newInfo(): Info {
  return { rich: false, bytes: false, size: 0, depth: 1 };
}

/** Takes note in a container's info of what one of its members is. Leaves out the size, which the walks count as they go. */
export function absorb(container: Info, member: Info): void {
  if (member.rich) container.rich = true;
  if (member.bytes) container.bytes = true;
  if (member.depth >= container.depth) container.depth = member.depth + 1;
}

/** What is known about an owned object; undefined for every other object. */
export function infoOf(object: object): Info | undefined {
  return Mark.read(object);
}

/** Makes a copy of ours owned, and freezes it. Its members must be owned already. */
export function own<Value extends object>(value: Value, info: Info): Value {
  Mark.put(value, info);
  return Object.freeze(value);
}

/** The same for a byte array, which cannot be frozen: it never leaves the engine, `handOut` gives copies. */
export function ownBytes(value: Uint8Array, info: Info): Uint8Array {
  Mark.put(value, info);
  return value;
}

// oxlint-disable-next-line typescript/no-extraneous-class
class Returned {
  constructor(object: object) {
    // A base constructor that returns an object makes it the `this` of the subclass, which then gives it the private field.
    return object;
  }
}

/**
 * A private field put on objects from outside.
 *
 * It does what a WeakMap does, invisible to user code, structuredClone and every comparison; but setting a key of a WeakMap
 * was measured at 1.5 µs for a fresh object, which would be most of the cost of a copy, and this at 0.05 µs.
 */
class Mark extends Returned {
  #info: Info;

  private constructor(object: object, info: Info) {
    super(object);
    this.#info = info;
  }

  static put(object: object, info: Info): void {
    // oxlint-disable-next-line no-new
    new Mark(object, info);
  }

  static read(object: object): Info | undefined {
    return #info in object ? object.#info : undefined;
  }
}
