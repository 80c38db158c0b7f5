import { expect, it } from "vitest";
import { SuspectGate } from "../../../src/host/runner/suspect-gate.ts";

it("lets suspects through one at a time, in the order in which they came", () => {
  const gate = new SuspectGate();
  const entered: string[] = [];
  const suspect = (name: string) => ({
    pump() {
      if (gate.enter(this)) entered.push(name);
    },
  });
  const [first, second, third] = [suspect("first"), suspect("second"), suspect("third")] as const;
  for (const each of [first, second, third]) each.pump();
  expect(entered).toEqual(["first"]);
  gate.leave(first);
  expect(entered).toEqual(["first", "second"]);
  gate.leave(third);
  gate.leave(second);
  expect(entered).toEqual(["first", "second"]);
  third.pump();
  expect(entered).toEqual(["first", "second", "third"]);
});

it("calls the next one where the one that was called is busy, and leaves as no suspect any more", () => {
  const gate = new SuspectGate();
  let called = 0;
  const holder = { pump: () => undefined };
  const busy = { pump: () => undefined };
  const waiting = {
    pump() {
      called += 1;
      expect(gate.enter(this)).toBe(true);
    },
  };
  expect([gate.enter(holder), gate.enter(busy), gate.enter(waiting)]).toEqual([true, false, false]);
  gate.leave(holder);
  expect(called).toBe(0);
  gate.leave(busy);
  expect(called).toBe(1);
});
