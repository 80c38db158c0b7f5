import { Client } from "@opensearch-project/opensearch";
import { InvalidOptionError } from "@wfe/core/providers";
import { testRuntime } from "@wfe/core/testing";
import { describe, expect, it } from "vitest";
import { opensearch, type OpenSearchOptions } from "../src/index.ts";
import { valueTerm } from "../src/mapping.ts";

describe("opensearch()", () => {
  it.for([
    ["", {}, /takes URLs such as/],
    ["ftp://x", {}, /takes URLs such as/],
    [[], {}, /takes at least one URL/],
    [7, {}, /takes URLs such as/],
    ["http://x", { index: "Upper" }, /`index` must be/],
    ["http://x", { index: "_x" }, /`index` must be/],
    ["http://x", { index: "" }, /`index` must be/],
    ["http://x", { username: "u" }, /`username` and `password` go together/],
    ["http://x", { username: "u", password: "" }, /`password` must be a text that is not empty/],
    ["http://x", { tls: {} }, /`tls` is for https: URLs/],
    ["http://x", { headers: { a: 1 } }, /the header `a` must be a text/],
    ["http://x", { requestTimeout: "1ms" }, /`requestTimeout` must be from 100 ms/],
    ["http://x", { retries: -1 }, /`retries` must be a whole number from 0 to 20/],
    ["http://x", { shards: 0 }, /`shards` must be a whole number from 1/],
    ["http://x", { replicas: 11 }, /`replicas` must be a whole number from 0 to 10/],
    ["http://x", { refresh: "1s" }, /there is no option `refresh`/],
    [new Client({ node: "http://x" }), { username: "u", password: "p" }, /belongs to the client that was given/],
  ] as const)("refuses %j with %j", ([target, options, message]) => {
    const make = () => opensearch(target as string, options as OpenSearchOptions);
    expect(make).toThrow(InvalidOptionError);
    expect(make).toThrow(message);
  });

  it("shows no password, in no message", async () => {
    expect(() => opensearch("htp://user:hidden@x")).toThrow(/^(?!.*hidden)/s);
    const provider = opensearch("http://user:hidden@127.0.0.1:1", { retries: 0 });
    await provider.open({ runtime: testRuntime() });
    const failure = (await provider.ping().catch((error: unknown) => error)) as Error;
    expect(failure.message).toMatch(/opensearch\(http:\/\/127\.0\.0\.1:1\): it cannot be reached/);
    expect(failure.message).not.toContain("hidden");
    await provider.close();
  });

  it("says so where it is not open", async () => {
    await expect(opensearch("http://x").ping()).rejects.toThrow(/is not open/);
  });
});

describe("numbers as texts", () => {
  it("have the order of numbers", () => {
    const numbers = [
      -Number.MAX_VALUE,
      -1e10,
      -2,
      -1.5,
      -1,
      -Number.MIN_VALUE,
      0,
      Number.MIN_VALUE,
      0.1,
      1,
      2,
      10,
      1e300,
    ];
    const texts = numbers.map((number) => valueTerm("p", number));
    expect(texts.toSorted()).toEqual(texts);
    expect(new Set(texts).size).toBe(numbers.length);
  });
});
