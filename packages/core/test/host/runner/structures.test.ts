import { expect, it } from "vitest";
import type { Provider } from "../../../src/providers/index.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { define, delay, step } from "./definitions.ts";
import { hostOf } from "./hosts.ts";

/** Structures of one id and version: what the second one adds would be passed over by whoever stands at the delay. */
const ran: string[] = [];
const note = (id: string) => step(id, () => void ran.push(id));
const before = define("a", [note("first"), delay("wait", "1d"), note("last")]);
const after = define("a", [note("first"), note("added"), delay("wait", "1d"), note("last")]);

/** A workflow that a host with the first structure has begun, and no host has now. */
async function leftAtTheDelay(): Promise<{ clock: TestClock; store: Provider; id: string }> {
  ran.length = 0;
  const clock = new TestClock();
  const store = memory({ clock });
  const first = await hostOf([before], { clock, store });
  const { id } = await first.host.startWorkflow(before, {});
  await clock.advance("1m");
  await first.host.stop();
  return { clock, store, id };
}

it("leaves a workflow to a host that has the structure it was started with, and says so", async () => {
  const { clock, store, id } = await leftAtTheDelay();

  const second = await hostOf([after], { clock, store });
  await clock.advance("2d");
  expect(ran).toEqual(["first"]);
  const told = second.logged.filter(({ message }) => message.includes("another structure"));
  expect(told).toMatchObject([{ level: "warn", fields: { definitionId: "a", version: 1 } }]);
  expect((await second.host.explain(id)).text).toContain("with the structure that it was started with");
  expect((await second.host.health()).lagMs).toBeGreaterThan(3_600_000);
  const own = await second.host.startWorkflow(after, {});
  await clock.advance("1m");
  expect(ran).toEqual(["first", "first", "added"]);

  await hostOf([before], { clock, store });
  await clock.advance("2d");
  expect(ran.slice(3).toSorted()).toEqual(["last", "last"]);
  for (const one of [id, own.id]) expect(await second.host.getWorkflow(one)).toMatchObject({ status: "completed" });
});

it("goes on with another structure where redefining is allowed", async () => {
  const { clock, store, id } = await leftAtTheDelay();
  const second = await hostOf([after], { clock, store, allowRedefine: true });
  await clock.advance("2d");
  expect(ran).toEqual(["first", "last"]);
  expect(await second.host.getWorkflow(id)).toMatchObject({ status: "completed" });
});
