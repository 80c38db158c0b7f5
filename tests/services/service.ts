/** Whether a service can be had here, and if not, why. */
export type Found<Service> =
  | { readonly available: true; readonly service: Service; readonly reason: "" }
  | { readonly available: false; readonly service: undefined; readonly reason: string };

/**
 * Looks for a service that tests need. Where it cannot be had, a laptop sees its tests as skipped, with the reason; with `WFE_CI=1`
 * this throws, so that no suite is ever left out unseen.
 */
export async function lookFor<Service>(name: string, find: () => Promise<Service>): Promise<Found<Service>> {
  try {
    return { available: true, service: await find(), reason: "" };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (process.env["WFE_CI"] === "1") throw new Error(`${name} cannot be had here: ${reason}`, { cause: error });
    console.warn(`SKIPPED: the tests that need ${name}: ${reason}`);
    return { available: false, service: undefined, reason };
  }
}
