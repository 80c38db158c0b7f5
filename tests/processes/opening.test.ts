import { expect, it, vi } from "vitest";
import { Child } from "./support/child.ts";
import { StoreFile } from "./support/store-file.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const script = new URL("./opener.ts", import.meta.url);

it("makes the tables once when several processes open an empty file at the same time", async () => {
  using store = new StoreFile();
  await using stack = new AsyncDisposableStack();
  const openers = await Promise.all(
    Array.from({ length: 5 }, async () => stack.use(await Child.spawn(script, { file: store.file }))),
  );
  await Promise.all(openers.map((opener) => opener.call("open")));
  expect(store.query("SELECT value FROM wfe_meta WHERE name = 'schema'")).toEqual([{ value: "3" }]);
});

it.each([1, 2, 12, 30])(
  "leaves nothing half made when it is killed at statement %i of making the tables",
  async (n) => {
    using store = new StoreFile();
    await using killed = await Child.spawn(script, { file: store.file, diesAtStatement: n });
    void killed.call("open");
    expect(await killed.ended).toEqual({ code: null, signal: "SIGKILL" });
    expect(store.query("SELECT name FROM sqlite_schema")).toEqual([]);

    await using next = await Child.spawn(script, { file: store.file });
    await next.call("open");
    expect(store.query("SELECT value FROM wfe_meta WHERE name = 'schema'")).toEqual([{ value: "3" }]);
  },
);
