import type { StandardSchema } from "./standard-schema.ts";

/** A typed event: its name, and the type of its payload. Made by `event(...)`. */
export interface EventType<Payload = any> {
  readonly name: string;
  /** Validates payloads when they are published. */
  readonly schema?: StandardSchema<any, Payload>;
  /** Only types: nothing is there at run time. */
  readonly "~types"?: { readonly payload: Payload };
}
