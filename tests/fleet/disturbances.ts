import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { randomOf } from "../crash/random.ts";
import { CrashStore } from "../crash/stores/crash-store.ts";
import { createIn } from "../crash/stores/postgres-kind.ts";
import { valkeyOf } from "../crash/stores/valkey-kind.ts";
import { pause, until } from "../processes/support/until.ts";
import { sharedPostgres, startPostgres } from "../services/postgres.ts";
import { CuttingProxy } from "./cutting-proxy.ts";
import { fleet, type FleetReport } from "./fleet.ts";

/** Leases last for two seconds there: a Valkey that is gone for so long cannot be waited for. */
const goneMs = 6_000;
const afterLeaseMs = 2_500;

export interface ValkeyReport extends FleetReport {
  /** Workflows that completed while the server was stopped, after every lease had run out. */
  readonly completedWithout: number;
}

/** A fleet whose Valkey loses everything several times, and is stopped for longer than a lease. */
export async function fleetWithoutValkey(options: {
  readonly seed: number;
  readonly store: "postgres+valkey" | "sqlite+valkey";
  readonly flushes: number;
  readonly stops: number;
}): Promise<ValkeyReport> {
  await using store = await CrashStore.create(options.store);
  const valkey = valkeyOf(store.spec);
  let completedWithout = 0;
  const report = await fleet({
    seed: options.seed,
    store,
    hosts: 2,
    meanwhile: async ({ completed }) => {
      for (let flush = 0; flush < options.flushes; flush += 1) {
        await pause(700);
        await valkey.command("FLUSHALL");
      }
      for (let stop = 0; stop < options.stops; stop += 1) {
        await valkey.stop(stop % 2 === 0 ? "SIGTERM" : "SIGKILL");
        await pause(afterLeaseMs);
        const before = await completed();
        await pause(goneMs - afterLeaseMs);
        await until(
          { what: "a workflow completes without Valkey", withinMs: 60_000 },
          async () => (await completed()) > before,
        );
        completedWithout += (await completed()) - before;
        await valkey.start();
        await pause(1_000);
      }
    },
  });
  return { ...report, completedWithout };
}

/** A fleet whose PostgreSQL is restarted every few seconds, in good order and by `kill -9`. */
export async function fleetOnRestartedPostgres(options: {
  readonly seed: number;
  readonly restarts: number;
}): Promise<FleetReport> {
  await using server = await startPostgres({ durable: true });
  await using store = await storeAt(server.url);
  const random = randomOf(options.seed);
  return await fleet({
    seed: options.seed,
    store,
    hosts: 2,
    meanwhile: async () => {
      for (let restart = 0; restart < options.restarts; restart += 1) {
        await pause(1_000 + random() * 3_000);
        if (restart % 2 === 1) await server.kill();
        await server.restart();
      }
      await pause(1_000);
    },
  });
}

export interface CutReport extends FleetReport {
  readonly cuts: number;
}

/** A fleet whose line to PostgreSQL is cut between COMMIT and answer, so many times. */
export async function fleetOnCutLine(options: { readonly seed: number; readonly cuts: number }): Promise<CutReport> {
  const { url } = await sharedPostgres();
  await using proxy = await CuttingProxy.start(url, randomOf(options.seed + 1));
  await using store = await storeAt(proxy.url);
  const report = await fleet({
    seed: options.seed,
    store,
    hosts: 2,
    meanwhile: async () => {
      proxy.oneOf = 12;
      await until({ what: "the line was cut often enough", withinMs: 600_000 }, () => proxy.cuts >= options.cuts);
      proxy.oneOf = 0;
    },
  });
  return { ...report, cuts: proxy.cuts };
}

async function storeAt(url: string): Promise<CrashStore> {
  return CrashStore.at(`postgres:${await createIn(url)}`, mkdtempSync(join(tmpdir(), "wfe-fleet-")));
}
