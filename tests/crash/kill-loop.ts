import { statSync } from "node:fs";
import { Child } from "../processes/support/child.ts";
import { pause } from "../processes/support/until.ts";
import { auditOf, type Audit } from "./audit.ts";
import { Client } from "./client.ts";
import { randomOf } from "./random.ts";
import type { RunnerOptions } from "./runner.ts";
import { CrashStore, type StoreName } from "./stores/crash-store.ts";

export interface KillLoopOptions {
  readonly seed: number;
  readonly kills: number;
  readonly store?: StoreName;
}

/** What a kill loop has seen. */
export interface KillLoopReport extends Audit {
  readonly kills: number;
  /** Kills of processes that had not yet come up. */
  readonly killsAtStart: number;
  readonly acknowledgedStarts: number;
  readonly acknowledgedEvents: number;
  /** What reached callers of the client, which nobody killed. */
  readonly clientErrors: readonly string[];
}

/** A process dies after it has begun so many bodies at most, or after so long: there may be nothing left to do. */
const mostBodies = 30;
const longestLifeMs = 1_500;
/**
 * Some of the processes live for a few milliseconds only, as no process does in earnest, so one workflow may well see many of
 * them die before its step has ended.
 */
const maxDeaths = 30;

/**
 * Kills processes that run the mix on one store, at random moments, while a client starts workflows and publishes events there.
 * The last process is left alone; then everything that was acknowledged is looked for.
 */
export async function killLoop({ seed, kills, store: name }: KillLoopOptions): Promise<KillLoopReport> {
  await using store = await CrashStore.create(name);
  const random = randomOf(seed);
  const options: RunnerOptions = { store: store.spec, directory: store.directory, maxDeaths };
  const script = new URL("./runner.ts", import.meta.url);
  await using client = new Client(store, random);

  let killsAtStart = 0;
  // The next process loads its sources while the one before it runs, so that a kill costs no more than a life.
  let next = Child.begin(script, options);
  for (let kill = 0; kill < kills; kill += 1) {
    const current = next;
    next = Child.begin(script, options);
    await current.ready();
    current.onFact(({ fact, value }) => {
      if (fact === "started") client.acknowledged(value as string);
    });
    let isUp = false;
    const starting = current.call("start").then(() => {
      isUp = true;
      if (client.wantsMore) void current.call("startWorkflows", [client.draw(), client.draw()]);
    });
    starting.catch(() => {});
    // Most die at work, some before they have come so far. How far is counted, since nobody knows how fast this machine is.
    const bodies = random() < 0.85 ? Math.floor(random() * mostBodies) : undefined;
    const longest = performance.now() + longestLifeMs;
    if (bodies !== undefined) {
      const before = bodiesOf(store);
      await starting;
      while (bodiesOf(store) < before + bodies && performance.now() < longest) await pause(2);
    }
    await pause(random() * 40);
    if (!isUp) killsAtStart += 1;
    current.kill("SIGKILL");
    const { signal } = await current.ended;
    if (signal !== "SIGKILL") throw new Error(`a process ended by itself\n${current.errors}`);
  }

  await next.ready();
  await next.call("start");
  await client.finish();
  await next.call("stop");
  await next[Symbol.asyncDispose]();
  return {
    kills,
    killsAtStart,
    acknowledgedStarts: client.starts.length,
    acknowledgedEvents: client.events,
    clientErrors: client.errors,
    ...(await auditOf(store, client.host, client.starts)),
  };
}

/** Bodies that have begun so far, by the bytes that they have written about it: a line of this length each, roughly. */
function bodiesOf(store: CrashStore): number {
  return (statSync(store.path("attempts.log"), { throwIfNoEntry: false })?.size ?? 0) / 130;
}
