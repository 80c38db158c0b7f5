import { WfeError } from "@wfe/core";
import { expect } from "vitest";

/** What an error has to be: of WFE, with this code, and a message that says this, such as what to do. */
export interface Wanted {
  readonly code: string;
  readonly says: RegExp | string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

/** Makes the call, which throws or rejects, and checks its error. */
export async function expectRefused(call: () => unknown, { code, says, fields = {} }: Wanted): Promise<void> {
  const error = await thrownBy(call);
  expect(error, String(error)).toBeInstanceOf(WfeError);
  const { message, code: itsCode, name } = error as WfeError;
  expect({ code: itsCode, message }).toEqual({
    code,
    message: says instanceof RegExp ? expect.stringMatching(says) : expect.stringContaining(says),
  });
  expect(error).toMatchObject(fields);
  // Its own class, so that a caller can tell it from others, and a sentence in place of a value.
  expect(name).toMatch(/^[A-Z]\w+Error$/);
  expect(message).not.toMatch(/\[object Object\]|undefined is not|cannot read/i);
}

export async function thrownBy(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("this was not refused");
}
