import type { StoreName } from "../crash/stores/crash-store.ts";
import { sharedPostgresIfAny } from "../services/postgres.ts";

const known: readonly StoreName[] = ["sqlite", "postgres"];

/** The stores that the long tests run on: the one of `--store`, or those that can be had here. */
export const stores: readonly StoreName[] = await find();

async function find(): Promise<readonly StoreName[]> {
  const given = process.env["WFE_STORE"];
  if (given === undefined || given === "") {
    return (await sharedPostgresIfAny()) === undefined ? ["sqlite"] : known;
  }
  const one = known.find((name) => name === given);
  if (one === undefined) throw new Error(`WFE_STORE must be one of ${known.join(", ")}, got ${given}`);
  return [one];
}
