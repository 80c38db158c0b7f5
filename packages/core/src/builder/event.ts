import type { EventType } from "../definition/event-type.ts";
import type { StandardSchema } from "../definition/standard-schema.ts";
import { InvalidOptionError } from "../errors.ts";
import { nameProblem } from "./names.ts";

/**
 * A typed event, for waits and for `publishEvent`.
 *
 * The name has 1 to 512 bytes and no NUL. With a schema (any Standard Schema) payloads are validated when they are
 * published, and the schema's output is what waits get. Throws `InvalidOptionError`.
 */
export function event<Payload = any>(name: string): EventType<Payload>;
export function event<Payload>(name: string, schema: StandardSchema<any, Payload>): EventType<Payload>;
export function event(name: string, schema?: StandardSchema): EventType {
  const problem = nameProblem(name);
  if (problem !== undefined) throw new InvalidOptionError(`the name of an event ${problem}`);
  if (schema !== undefined && typeof schema?.["~standard"]?.validate !== "function") {
    throw new InvalidOptionError(
      `the schema of event \`${name}\` must be a Standard Schema (zod, valibot, arktype...), got ${typeof schema}`,
    );
  }
  return Object.freeze(schema === undefined ? { name } : { name, schema });
}
