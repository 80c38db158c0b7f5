import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { LogStore, NewLogLine, Run } from "../../../providers/index.ts";
import type { Stage } from "./stage.ts";
import type { PersistenceSuite } from "./suite.ts";

/** What a store that keeps lines of steps has to do; one that keeps none passes them. */
export function logCases({ describe, it }: PersistenceSuite): void {
  describe("logs", () => {
    const kept = (claim: string, body: (stage: Stage, logs: LogStore) => Promise<void>): void =>
      it(claim, async (stage) => {
        const { logs } = stage.store;
        if (logs !== undefined) await body(stage, logs);
      });

    kept("gives lines back in their order, byte for byte, page by page", async (stage, logs) => {
      const run = await stage.start();
      const other = await stage.start();
      const texts = ["a", '{"text":"\\u0000 é 🙂"}', "", "x".repeat(200_000)];
      await logs.append([line(run, texts[0]), line(other, "other"), line(run, texts[1])], 100);
      await logs.append([line(run, texts[2]), line(run, texts[3])], 100);
      const first = await logs.read(run, { after: 0, limit: 3 });
      deepStrictEqual(
        first.map(({ lineText, at }) => [lineText, at]),
        texts.slice(0, 3).map((text) => [text, 5]),
      );
      const rest = await logs.read(run, { after: first.at(-1)?.number ?? 0, limit: 3 });
      deepStrictEqual(
        rest.map(({ lineText }) => lineText),
        texts.slice(3),
      );
      const numbers = [...first, ...rest].map(({ number }) => number);
      deepStrictEqual(
        numbers,
        [...new Set(numbers)].toSorted((a, b) => a - b),
      );
      deepStrictEqual(
        (await logs.read(other, { after: 0, limit: 9 })).map(({ lineText }) => lineText),
        ["other"],
      );
    });

    kept("keeps only the newest of each workflow", async (stage, logs) => {
      const [run, other] = [await stage.start(), await stage.start()];
      await logs.append([line(other, "kept")], 3);
      for (let n = 0; n < 10; n += 2) await logs.append([line(run, `${n}`), line(run, `${n + 1}`)], 3);
      deepStrictEqual(
        (await logs.read(run, { after: 0, limit: 9 })).map(({ lineText }) => lineText),
        ["7", "8", "9"],
      );
      strictEqual((await logs.read(other, { after: 0, limit: 9 })).length, 1);
      await logs.append(
        Array.from({ length: 700 }, (_, n) => line(run, `${n}`)),
        500,
      );
      strictEqual((await logs.read(run, { after: 0, limit: 1_000 })).length, 500);
    });

    kept("drops those of workflows that are not there, and loses them with a purge", async (stage, logs) => {
      const held = await stage.hold();
      await logs.append([line(held.run, "a"), line(987_654, "nobody's")], 9);
      await logs.append([], 9);
      deepStrictEqual(await logs.read(987_654, { after: 0, limit: 9 }), []);
      await stage.end(held);
      await stage.clock.advance(1);
      await stage.store.purge({ workflowsBefore: stage.clock.now(), limit: 10 });
      deepStrictEqual(await logs.read(held.run, { after: 0, limit: 9 }), []);
    });
  });
}

function line(run: Run, lineText = ""): NewLogLine {
  return { run, at: 5, lineText };
}
