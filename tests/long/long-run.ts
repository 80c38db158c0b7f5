/**
 * How long the long tests are. `npm run test:long -- --kills 5000 --minutes 15 --schedules 200000 --seed 7` sets these through the
 * environment; the option's name is that of the field, and the variable's `WFE_` with the same name (scripts/test.ts).
 * `--store` chooses where there is more than one (stores.ts).
 */
export interface LongRun {
  /** Processes that are killed while they work. */
  readonly kills: number;
  /** Processes that are frozen beyond their lease and thawed. */
  readonly zombies: number;
  /** Processes of a fleet that are killed; a third as many are frozen, and a third as many times its PostgreSQL is restarted. */
  readonly fleet: number;
  /** Power losses, at so many places of what was written. */
  readonly cuts: number;
  /** Simulated schedules. */
  readonly schedules: number;
  /** Random programs that are compared with the model. */
  readonly programs: number;
  /** Workflow files that are changed at random. */
  readonly mutations: number;
  /** What goes on for a time and not for a number of times: the soak, and many clients at once. */
  readonly minutes: number;
}

export const longRun: LongRun = {
  kills: numberFrom("WFE_KILLS", 300),
  zombies: numberFrom("WFE_ZOMBIES", 20),
  fleet: numberFrom("WFE_FLEET", 60),
  cuts: numberFrom("WFE_CUTS", 1000),
  schedules: numberFrom("WFE_SCHEDULES", 20_000),
  programs: numberFrom("WFE_PROGRAMS", 5000),
  mutations: numberFrom("WFE_MUTATIONS", 20_000),
  minutes: numberFrom("WFE_MINUTES", 1),
};

function numberFrom(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, got ${text}`);
  return value;
}

/** The longest that one of these tests may take. In CI the numbers are small, and one that hangs must leave time for the others. */
export const patienceMs: number = process.env["WFE_CI"] === "1" ? 600_000 : 24 * 3_600_000;
