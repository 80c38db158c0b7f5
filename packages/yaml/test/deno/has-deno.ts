import { describe } from "vitest";
import { denoBinary } from "../../src/deno/deno-binary.ts";

function installed(): boolean {
  try {
    denoBinary();
    return true;
  } catch (error) {
    // Where the checks of a change run, a sandbox that was not tested is a failure.
    if (process.env["WFE_CI"] === "1") throw error;
    return false;
  }
}

/** `describe`, where the optional package `deno` is there; else a skip that says so. In CI its absence is a failure. */
export const describeDeno: typeof describe | typeof describe.skip = installed() ? describe : describe.skip;
