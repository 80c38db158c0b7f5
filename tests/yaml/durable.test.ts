import { parseWorkflow, type StepType } from "@wfe/yaml";
import { describe, expect, it } from "vitest";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

const text = `
workflow:
  id: w
  version: 1
  steps:
    - { name: one, type: note, config: { at: "\${{ var.address }}" } }
    - { name: m, type: note, matrix: { n: [1, 2] }, config: { at: "\${{ matrix.n }}" } }
    - { name: wait, type: wait_for, config: { event: go, key: "\${{ steps.one.outputs.at }}" }, outputs: [{ name: by }] }
    - { name: two, type: note, config: { at: "\${{ steps.m.outputs.map(o, o.at) }}", fail: "\${{ data.fail }}" } }
`;

describe.each(stores)("a workflow of a file on $name", (store) => {
  const ran: string[] = [];
  const note: StepType = {
    type: "note",
    title: "Note",
    description: "Notes where it ran.",
    run: ({ at, fail }: { at: unknown; fail?: unknown }, { step }) => {
      ran.push(step);
      if (fail === true) throw new Error("refused");
      return { outputs: { at } };
    },
  };
  const load = (address: string): ReturnType<typeof parseWorkflow> =>
    parseWorkflow(text, { address }, { types: [note] });

  it("goes on with another host after its own has died, loaded with another configuration", async () => {
    ran.length = 0;
    await using world = new World(store);
    const first = await world.start([load("old")]);
    await first.startWorkflow("w", { fail: false }, { id: "x" });
    await world.settle();
    world.kill(first);
    const second = await world.start([load("new")]);
    await second.publishEvent("go", "old", { by: "ann" });
    const details = await world.ended(second.handle("x"));
    expect(details).toMatchObject({
      status: "completed",
      data: {
        by: "ann",
        at: [1, 2],
        steps: { m: { outputs: [{ at: 1 }, { at: 2 }] }, wait: { outputs: { by: "ann" } } },
      },
    });
    expect(ran).toEqual(["one", "m", "m", "two"]);
  });

  it("is mended and tried again from the step that failed", async () => {
    ran.length = 0;
    await using world = new World(store);
    const host = await world.start([load("a")]);
    const handle = await host.startWorkflow("w", { fail: true }, { id: "x" });
    await world.settle();
    await host.publishEvent("go", "a", { by: "bob" });
    expect((await world.ended(handle)).status).toBe("failed");
    const mended = await host.setData("x", { fail: false });
    const again = await host.retryWorkflow("x");
    await Promise.all([world.settle(), mended.applied(), again.applied()]);
    expect((await world.ended(handle)).status).toBe("completed");
    expect(ran).toEqual(["one", "m", "m", "two", "two"]);
    expect((await host.getWorkflow("x"))?.steps.map(({ id, status }) => [id, status])).toEqual([
      ["one", "completed"],
      ["m/matrix", "completed"],
      ["m", "completed"],
      ["wait", "completed"],
      ["two", "completed"],
    ]);
  });
});
