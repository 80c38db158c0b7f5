import { describe, expect, it } from "vitest";
import { memory, simulate, SimulationError } from "../../src/testing/index.ts";

describe("simulate", () => {
  it("reports what a schedule did, line by line where that is asked for", async () => {
    const report = await simulate({ seed: 2, trace: true });
    expect(report).toMatchObject({ seed: 2 });
    expect(report.turns).toBeGreaterThan(5);
    expect(report.acknowledged).toBeGreaterThan(3);
    expect(report.trace.join("\n")).toMatch(/store: w\d is created/);
    expect((await simulate({ seed: 2 })).trace).toEqual([]);
  });

  it("leaves parts out", async () => {
    const whole = await simulate({ seed: 2 });
    const operations = Array.from({ length: 40 }, (_, n) => `operation:${n}`);
    const empty = await simulate({ seed: 2, without: [...operations, "order"] });
    expect(whole.workflows).toBeGreaterThan(0);
    expect(empty).toMatchObject({ workflows: 0, asked: 0 });
  });

  it("gives the shortest story of a failure, the same each time, and how to replay it", async () => {
    // A store that forgets to wake anybody.
    const store: NonNullable<Parameters<typeof simulate>[0]["store"]> = (clock) => {
      const sound = memory({ clock });
      const persistence = { ...sound.persistence!, deliver: async () => [{ outcome: "accepted" as const, number: 1 }] };
      return { ...sound, persistence };
    };
    const error = await firstFailure((seed) => simulate({ seed, store }));
    expect(error).toMatchObject({ name: "SimulationError", check: expect.any(String) });
    expect(error.message).toContain(`await simulate({ seed: ${error.seed}, without: [`);
    const again = await simulate({ seed: error.seed, without: error.without, store }).catch(
      (thrown: unknown) => thrown,
    );
    expect(again).toMatchObject({
      seed: error.seed,
      check: error.check,
      without: error.without,
      message: error.message,
    });
  });

  it("refuses what it does not know", async () => {
    await expect(simulate({ seed: -1 })).rejects.toThrow(/`seed` must be a whole number from 0/);
    await expect(simulate({ seed: 1, without: ["operations:1"] })).rejects.toThrow(/no part `operations:1`/);
    await expect(simulate({ seed: 1, sead: 2 } as never)).rejects.toThrow(/no `sead`/);
  });
});

async function firstFailure(run: (seed: number) => Promise<unknown>): Promise<SimulationError> {
  for (let seed = 1; seed < 200; seed += 1) {
    const error: unknown = await run(seed).catch((thrown: unknown) => thrown);
    if (error instanceof SimulationError) return error;
  }
  throw new Error("no schedule has failed");
}
