import { expect, it } from "vitest";
import { storeError } from "../../src/engine/stored-error.ts";

it("stores a value that cannot be asked what it is", () => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  expect(storeError(proxy)).toEqual({
    name: "NonErrorThrown",
    message: "a value that is not an error was thrown: one of type object that cannot be shown",
  });
});
