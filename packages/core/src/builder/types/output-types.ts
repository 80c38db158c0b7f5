import type { NextResult, OutcomeResult, StepResult } from "../../definition/execution-result.ts";

/** The output of a step whose body returns `Returned`: promises and `ExecutionResult`s are looked through. */
export type OutputOf<Returned> = 0 extends 1 & Returned ? any : PlainOutput<Awaited<Returned>>;

type PlainOutput<Value> =
  Value extends StepResult<unknown>
    ? Value extends NextResult<infer Output> | OutcomeResult<infer Output>
      ? Output
      : never
    : Value extends void
      ? undefined
      : Value;

/**
 * Adds nothing to the type of a step whose output can be stored; makes that of another one impossible to satisfy, with the
 * path of the first field that is at fault in the message.
 *
 * Looks three levels deep: enough for the mistakes people make, and cheap. The codec looks at all of the value at run time.
 */
export type Storable<Returned> = [Unstorable<OutputOf<Returned>, "output", 3>] extends [never]
  ? unknown
  : {
      readonly "this output cannot be stored: it holds a function or symbol at": Unstorable<
        OutputOf<Returned>,
        "output",
        3
      >;
    };

type Shallower = [never, 0, 1, 2];

type Unstorable<Value, Path extends string, Depth extends 0 | 1 | 2 | 3> = 0 extends 1 & Value
  ? never
  : unknown extends Value
    ? never
    : Value extends string | number | bigint | boolean | null | undefined
      ? never
      : Value extends symbol | ((...args: never) => unknown) | (abstract new (...args: never) => unknown)
        ? Path
        : Depth extends 0
          ? never
          : Value extends Date | Uint8Array | Error
            ? never
            : Value extends ReadonlyMap<infer Key, infer Item>
              ? Unstorable<Key | Item, `${Path}[...]`, Shallower[Depth]>
              : Value extends ReadonlySet<infer Item>
                ? Unstorable<Item, `${Path}[...]`, Shallower[Depth]>
                : Value extends readonly (infer Item)[]
                  ? Unstorable<Item, `${Path}[]`, Shallower[Depth]>
                  : {
                      [Key in keyof Value]-?: Unstorable<Value[Key], `${Path}.${Key & string}`, Shallower[Depth]>;
                    }[keyof Value];
