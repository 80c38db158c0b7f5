import type { StepContext } from "@wfe/core";
import { MaskedStream, type Masker } from "./secrets.ts";

/** A step's context that lets no secret out. `end` sends what is still held back. */
export function maskedContext(ctx: StepContext, masker: Masker): { readonly ctx: StepContext; end(): void } {
  const streams = new Map<string, MaskedStream>();
  const log =
    (level: keyof StepContext["log"]) =>
    (message: string, fields?: Record<string, unknown>): void =>
      ctx.log[level](masker.text(message), masker.value(fields) as Record<string, unknown> | undefined);
  const masked: StepContext = {
    get data() {
      return ctx.data as unknown;
    },
    get item() {
      return ctx.item as unknown;
    },
    get index() {
      return ctx.index;
    },
    get items() {
      return ctx.items;
    },
    get workflow() {
      return ctx.workflow;
    },
    get step() {
      return ctx.step;
    },
    get idempotencyKey() {
      return ctx.idempotencyKey;
    },
    get signal() {
      return ctx.signal;
    },
    get persisted() {
      return ctx.persisted as unknown;
    },
    get event() {
      return ctx.event;
    },
    // Reading it throws outside of an undoing: it is left to whoever asks.
    get undoing() {
      return ctx.undoing;
    },
    write(stream, chunk) {
      let masks = streams.get(stream);
      if (masks === undefined)
        streams.set(stream, (masks = new MaskedStream(masker, (part) => ctx.write(stream, part))));
      masks.write(chunk);
    },
    progress: (percent, message) => ctx.progress(percent, ...(message === undefined ? [] : [masker.text(message)])),
    heartbeat: (details) => ctx.heartbeat(masker.value(details)),
    log: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
  };
  return {
    ctx: masked,
    end() {
      for (const stream of streams.values()) stream.end();
    },
  };
}
