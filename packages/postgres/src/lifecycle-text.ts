import { deserialize, serialize } from "node:v8";
import type { LifecycleEvent } from "@wfe/core/providers";

/** Events as a text that is safe in any database; undefined where there is nothing to write, or nothing that can be. */
export function encode(events: readonly LifecycleEvent[]): string | undefined {
  if (events.length === 0) return undefined;
  try {
    return serialize(events).toString("base64");
  } catch {
    return undefined;
  }
}

export function decode(text: string): readonly LifecycleEvent[] {
  return deserialize(Buffer.from(text, "base64")) as readonly LifecycleEvent[];
}
