/**
 * How long the long tests are. `npm run test:long -- --kills 300 --minutes 1 --seed 7` sets these through the environment:
 * `WFE_KILLS`, `WFE_MINUTES` and `WFE_SEED`.
 */
export const longRun: { readonly kills: number; readonly minutes: number } = {
  kills: wholeFrom("WFE_KILLS", 300),
  minutes: wholeFrom("WFE_MINUTES", 1),
};

function wholeFrom(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === "") return otherwise;
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0, got ${text}`);
  return value;
}
