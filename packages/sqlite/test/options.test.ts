import { InvalidOptionError } from "@wfe/core/providers";
import { expect, it } from "vitest";
import { sqlite } from "../src/index.ts";

it.each([
  [5, /the options of sqlite\(\) must be an object, got 5/],
  [null, /the options of sqlite\(\) must be an object, got null/],
  ["normal", /the options of sqlite\(\) must be an object, got 'normal'/],
  [[], /the options of sqlite\(\) must be an object, got \[\]/],
  [{ synchronous: "off" }, /`synchronous` must be "full" or "normal", got 'off'/],
  [{ synchronous: 1n }, /`synchronous` must be "full" or "normal", got 1n/],
  [{ allowNetworkDrive: "yes" }, /`allowNetworkDrive` must be true or false, got 'yes'/],
  [{ allowNetworkDrive: null }, /`allowNetworkDrive` must be true or false, got null/],
  [{ search: 0 }, /`search` must be true or false, got 0/],
  [{ onConnect: 5 }, /`onConnect` must be a function of the connection, got 5/],
  [{ onConnect: null }, /`onConnect` must be a function of the connection, got null/],
  [{ sync: "normal" }, /sqlite\(\) has no option `sync`; it has `synchronous`, /],
])("sqlite(file, %o) is refused where it is called", (options, says) => {
  expect(() => sqlite("app.db", options as never)).toThrow(InvalidOptionError);
  expect(() => sqlite("app.db", options as never)).toThrow(says);
});

it("takes options without a value for left out ones", () => {
  const none: object = {
    synchronous: undefined,
    allowNetworkDrive: undefined,
    search: undefined,
    onConnect: undefined,
  };
  expect(sqlite("app.db", none)).toHaveProperty("search");
});
