// Figures of WFE, each beside a floor or a peer measured in the same run. `npm run bench -- steps` runs one part.
import { fanOut } from "./fan-out.ts";
import { hosts } from "./hosts.ts";
import { latency } from "./latency.ts";
import { longRuns } from "./long-runs.ts";
import { postgresClaims } from "./claims.ts";
import { postgresSteps } from "./postgres.ts";
import { search } from "./search.ts";
import { steps } from "./steps.ts";
import { telemetry } from "./telemetry.ts";
import { timers } from "./timers.ts";
import { waiting } from "./waiting.ts";
import { yamlSteps } from "./yaml-steps.ts";

const parts: Record<string, () => Promise<void>> = {
  steps,
  latency,
  "fan-out": fanOut,
  waiting,
  "long-runs": longRuns,
  telemetry,
  postgres: postgresSteps,
  claims: postgresClaims,
  hosts,
  timers,
  search,
  yaml: yamlSteps,
};

const asked = process.argv.slice(2);
for (const name of asked.length === 0 ? Object.keys(parts) : asked) {
  const part = parts[name];
  if (part === undefined) throw new Error(`there is no part "${name}": the parts are ${Object.keys(parts).join(", ")}`);
  console.log(`\n== ${name}`);
  await part();
}
