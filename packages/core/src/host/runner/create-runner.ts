import type { HostCore, Runner } from "../core/host-core.ts";
import { HostRunner } from "./host-runner.ts";

/** The half of a host that runs workflows. Providers are open, and stay open until it has stopped. */
export function createRunner(core: HostCore): Runner {
  return new HostRunner(core);
}
