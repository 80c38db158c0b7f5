import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { processTerminal } from "../src/terminal.ts";

/** A terminal of this size, and what it is asked to show. */
function terminalOf(size: { readonly columns: number; readonly rows: number }): ReturnType<typeof processTerminal> {
  return processTerminal(
    {},
    Object.assign(new PassThrough(), { isTTY: true, ...size }) as unknown as NodeJS.WriteStream,
  );
}

describe("a terminal", () => {
  it("is drawn on where it says how large it is, both ways; elsewhere there are lines", () => {
    expect(terminalOf({ columns: 80, rows: 24 })).toMatchObject({ isLive: true, columns: 80 });
    expect(terminalOf({ columns: 80, rows: 0 })).toMatchObject({ isLive: false, columns: 0 });
    expect(terminalOf({ columns: 0, rows: 24 })).toMatchObject({ isLive: false, columns: 0 });
  });
});
