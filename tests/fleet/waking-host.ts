// A process that runs workflows which wait for an event, and tells when they wake.
import { event, workflow, WorkflowHost } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { postgres } from "@wfe/postgres";
import { valkey } from "@wfe/valkey";
import pg from "pg";
import { quiet } from "../crash/quiet.ts";
import { optionsOf, serve, tell } from "../processes/support/serve.ts";

/** How the hosts of a store are reached. */
export interface Ways {
  readonly url: string;
  readonly schema: string;
  readonly notify: boolean;
  /** Default: no Valkey. */
  readonly valkeyUrl?: string;
}

export const pinged = event<{ n: number }>("pinged");

export interface Woken {
  readonly id: string;
  /** By the machine's clock, in milliseconds and parts of them. */
  readonly at: number;
}

export const machineTime = (): number => performance.timeOrigin + performance.now();

export function providersOf({ url, schema, notify, valkeyUrl }: Ways): readonly Provider[] {
  const store = postgres(url, { schema, notify, poolSize: 6 });
  return valkeyUrl === undefined ? [store] : [store, valkey(valkeyUrl, { prefix: schema })];
}

export function sleeperOf(woken: (id: string) => void): ReturnType<typeof build> {
  return build(woken);
}

function build(woken: (id: string) => void) {
  return workflow<{ n?: number }>()
    .waitFor(pinged, (_, at) => at.workflow.id)
    .output((_, { n }) => ({ n }))
    .thenFn((_, ctx) => woken(ctx.workflow.id))
    .build("sleeper", 1);
}

/** Run as a script, and not read for what it exports. */
if (process.argv[2] !== undefined && process.argv[1]?.endsWith("waking-host.ts") === true) {
  const ways = optionsOf<Ways>();
  const sleeper = sleeperOf((id) => tell("woken", { id, at: machineTime() } satisfies Woken));
  const host = new WorkflowHost({ providers: providersOf(ways), workflows: [sleeper], log: quiet() });
  serve({
    start: () => host.start(),
    stop: () => host.stop({ timeout: "1s" }),
    /** Without WFE: what it takes to hear of something, and to ask the server four times (claim, load, read, commit). */
    listen: async (channel: string) => {
      const client = new pg.Client(ways.url);
      await client.connect();
      const asking = new pg.Client(ways.url);
      await asking.connect();
      client.on("notification", ({ payload }) => {
        void (async () => {
          for (let question = 0; question < 4; question += 1) await asking.query("SELECT 1");
          tell("woken", { id: payload ?? "", at: machineTime() } satisfies Woken);
        })();
      });
      await client.query(`LISTEN ${channel}`);
    },
  });
}
