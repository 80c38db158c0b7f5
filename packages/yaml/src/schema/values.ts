import { parseDuration, type Duration } from "@wfe/core";
import * as z from "zod";

/** The building blocks of the file's schema. `expected` is how an error names what should have been there. */
function meant<Schema extends z.ZodType>(schema: Schema, expected: string, more: Record<string, unknown> = {}): Schema {
  return schema.meta({ expected, ...more });
}

export const text: z.ZodString = meant(z.string(), "text");
/** Text, or what YAML reads as a number or truth value and a shell or a URL takes as text. */
export const scalar: z.ZodUnion<[z.ZodString, z.ZodNumber, z.ZodBoolean]> = meant(
  z.union([z.string(), z.number(), z.boolean()]),
  "text, a number, true or false",
);
export const flag: z.ZodBoolean = meant(z.boolean(), "true or false");
export const count: z.ZodInt = meant(z.int().min(1), "a whole number from 1");
export const countFromZero: z.ZodInt = meant(z.int().min(0), "a whole number from 0");
export const anything: z.ZodUnknown = meant(z.unknown(), "a value");

const durationPattern = String.raw`^(\d+(\.\d*)?|\.\d+)(ms|s|m|h|d|w)$`;

/** A length of time. Milliseconds where it is a number. */
export const duration: z.ZodType<Duration> = meant(
  z.custom<Duration>(isDuration),
  'a duration, such as "250ms", "30s", "5m", "2h" or "1d"',
  {
    json: {
      anyOf: [
        { type: "string", pattern: durationPattern },
        { type: "number", minimum: 0 },
      ],
    },
  },
);

/** The same, or `${{ }}` that comes to one when the workflow runs. */
export const durationOrExpression: z.ZodType<Duration> = meant(
  z.custom<Duration>((value) => isDuration(value) || isPlaceholder(value)),
  'a duration, such as "250ms", "30s", "5m", "2h" or "1d"',
  { json: { anyOf: [{ type: "string" }, { type: "number", minimum: 0 }] } },
);

function isDuration(value: unknown): boolean {
  if (typeof value !== "string" && typeof value !== "number") return false;
  try {
    parseDuration(value as Duration);
    return true;
  } catch {
    return false;
  }
}

/** Whether a value is one `${{ }}` and nothing else. */
export function isPlaceholder(value: unknown): boolean {
  return typeof value === "string" && /^\s*\$\{\{[\s\S]*\}\}\s*$/.test(value);
}

/** One of a few words. */
export function word<const Words extends readonly [string, ...string[]]>(
  words: Words,
): z.ZodEnum<{ [Word in Words[number]]: Word }> {
  return meant(z.enum(words), oneOf(words));
}

function oneOf(words: readonly string[]): string {
  const quoted = words.map((each) => `\`${each}\``);
  return quoted.length === 1 ? String(quoted[0]) : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}

/** A list of steps: checked step by step, by the schema of each one's type. */
export const steps: z.ZodArray<z.ZodUnknown> = meant(z.array(z.unknown()).min(1), "a list of at least one step", {
  json: { type: "array", minItems: 1, items: { $ref: "#/$defs/step" } },
});
/** The same, where none is right as well. */
export const anySteps: z.ZodArray<z.ZodUnknown> = meant(z.array(z.unknown()), "a list of steps", {
  json: { type: "array", items: { $ref: "#/$defs/step" } },
});
/** One step, of a hook. */
export const step: z.ZodRecord<z.ZodString, z.ZodUnknown> = meant(z.record(z.string(), z.unknown()), "a step", {
  json: { $ref: "#/$defs/step" },
});
/** A condition; checked by its own reader, which knows what fields there are. */
export const condition: z.ZodUnknown = meant(z.unknown(), "a condition", { json: { $ref: "#/$defs/condition" } });
