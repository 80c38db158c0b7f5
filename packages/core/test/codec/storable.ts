import fc from "fast-check";

/** Strings that stores and parsers stumble over. */
export const awkwardStrings: readonly string[] = [
  "",
  "\u0000",
  "a\u0000b",
  "\ud800",
  "\udfff",
  "\udc00\ud800",
  "😀",
  "e\u0301",
  "\u2028\u2029",
  "\ufeff",
  "\\u0000",
  '"',
  "$wfe",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "toJSON",
  "then",
  "length",
  "0",
  "-1",
];

const text = fc.oneof(fc.string({ unit: "binary" }), fc.string(), fc.constantFrom(...awkwardStrings));
const key = fc.oneof(
  { weight: 3, arbitrary: fc.string() },
  { weight: 2, arbitrary: fc.constantFrom(...awkwardStrings) },
);

const primitive = fc.oneof(
  fc.constantFrom(null, undefined, true, false, 0, -0, Number.NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  text,
);

const date = fc.date({ noInvalidDate: false });
const bytes = fc.uint8Array({ maxLength: 40 });

/** Every kind of value that can be stored, nested in every way. */
export const storable: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    primitive,
    date,
    bytes,
    tie("object"),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(tie("value"), tie("value")), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie("value"), { maxLength: 4 }).map((members) => new Set(members)),
    tie("error"),
  ),
  object: fc.array(fc.tuple(key, tie("value")), { maxLength: 5 }).map(objectOf),
  error: fc
    .record({
      Class: fc.constantFrom(Error, TypeError, RangeError),
      message: text,
      name: fc.option(text, { nil: undefined }),
      cause: tie("value"),
      fields: fc.array(fc.tuple(key, tie("value")), { maxLength: 3 }),
    })
    .map(({ Class, message, name, cause, fields }) => {
      const error = new Class(message, { cause });
      if (name !== undefined) error.name = name;
      for (const [field, value] of fields) define(error, field, value);
      return error;
    }),
})).value;

function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const object = {};
  for (const [name, value] of entries) define(object, name, value);
  return object;
}

function define(object: object, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
}
