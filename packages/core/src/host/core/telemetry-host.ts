import type { ResolvedProviders, RunnerStats } from "./host-core.ts";
import type { TelemetryHost } from "../../telemetry/telemetry.ts";

interface Measured {
  readonly name: string;
  readonly namespace: string;
  /** Undefined: the host runs nothing. */
  readonly stats: () => RunnerStats | undefined;
}

const statuses = ["runnable", "waiting", "suspended", "completed", "failed", "terminated"] as const;

/** What telemetry may ask of a host. */
export function telemetryHost({ name, namespace, stats }: Measured, { persistence }: ResolvedProviders): TelemetryHost {
  return {
    name,
    namespace,
    stats: () => {
      const { inHand = 0, bodies = 0, bodiesLeftBehind = 0, lagMs = 0 } = stats() ?? {};
      return { inHand, bodies, bodiesLeftBehind, lagMs };
    },
    countByStatus: async () => {
      const counts = statuses.map(async (status) => [status, await persistence.count({ namespace, status })] as const);
      return new Map(await Promise.all(counts));
    },
    outboxDepth: async () => (await persistence.outbox?.backlog())?.rows,
  };
}
