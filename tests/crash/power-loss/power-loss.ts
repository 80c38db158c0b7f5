import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import Database from "better-sqlite3";
import { until } from "../../processes/support/until.ts";
import { auditOf, type Acknowledged } from "../audit.ts";
import { kindNames, mixOf, ticked } from "../mix.ts";
import { quiet } from "../quiet.ts";
import { randomOf } from "../random.ts";
import { CrashStore } from "../stores/crash-store.ts";
import { frameBytes, type Filling, logHeaderBytes, record } from "./recording.ts";

export interface PowerLossOptions {
  readonly seed: number;
  readonly cuts: number;
  /** One of so many files is also run to its end. */
  readonly finishEvery: number;
}

export interface PowerLossReport {
  readonly frames: number;
  readonly acknowledged: number;
  readonly cuts: Readonly<Record<Way, number>>;
  /** Facts that were looked for, over all cuts. */
  readonly lookedFor: number;
  /** Files on which everything was run to its end. */
  readonly finished: number;
  readonly problems: readonly string[];
}

/**
 * What is on the disk when the power fails while the log is written:
 * `cut`: all up to a frame; `torn`: a part of the next frame too; `scattered`: of what was not synced yet, some sectors and others not,
 * and some of them rubbish; `checkpoint`: the whole log, and of the pages that were being copied from it some, or parts of some.
 */
type Way = "cut" | "torn" | "scattered" | "checkpoint";
const sector = 512;

/**
 * Records how the mix is run on a file, then cuts the power again and again: at each cut the files are made as a disk would have
 * them, and opened. The database must be whole, and everything in it that had been acknowledged.
 */
export async function powerLoss({ seed, cuts, finishEvery }: PowerLossOptions): Promise<PowerLossReport> {
  await using store = await CrashStore.create("sqlite");
  const random = randomOf(seed);
  const fillings = await record(store, random, { fillings: 3, workflows: 11 });
  const made: Record<Way, number> = { cut: 0, torn: 0, scattered: 0, checkpoint: 0 };
  const problems: string[] = [];
  let lookedFor = 0;
  let finished = 0;
  for (let each = 0; each < cuts; each += 1) {
    const way = wayOf(random());
    const { place, frame } = frameAt(fillings, each / cuts);
    const filling = fillings[place]!;
    const directory = store.path(`cut-${each}`);
    mkdirSync(directory);
    const file = join(directory, "app.db");
    writeFiles(file, filling, frame, way, random);
    made[way] += 1;
    const facts = [
      ...fillings.slice(0, place).flatMap((earlier) => earlier.facts),
      ...filling.facts.filter((fact) => fact.frame <= frame),
    ].map(({ fact }) => fact);
    lookedFor += facts.length;
    const where = `${way} at frame ${frame} of ${filling.frames}, filling ${place}`;
    try {
      problems.push(...missingIn(file, facts).map((problem) => `${where}: ${problem}`));
      if (each % finishEvery === finishEvery - 1) {
        const starts = facts.flatMap((fact) =>
          fact.kind === "workflow" && fact.start !== undefined ? [fact.start] : [],
        );
        const attempts = [
          ...fillings.slice(0, place).flatMap((earlier) => earlier.attempts),
          ...filling.attempts.filter((attempt) => attempt.frame <= frame),
        ].map(({ attempt }) => attempt);
        writeFileSync(
          join(directory, "attempts.log"),
          attempts.map((attempt) => `${JSON.stringify(attempt)}\n`).join(""),
        );
        problems.push(...(await finish(directory, file, starts)).map((problem) => `${where}: ${problem}`));
        finished += 1;
      }
    } catch (error) {
      problems.push(`${where}: ${String(error)}`);
    }
    rmSync(directory, { recursive: true, force: true });
  }
  const frames = fillings.reduce((sum, filling) => sum + filling.frames, 0);
  const acknowledged = fillings.reduce((sum, filling) => sum + filling.facts.length, 0);
  return { frames, acknowledged, cuts: made, lookedFor, finished, problems };
}

function wayOf(dice: number): Way {
  return dice < 0.4 ? "cut" : dice < 0.6 ? "torn" : dice < 0.8 ? "scattered" : "checkpoint";
}

/** The frame at a share of all fillings' frames: cuts go evenly through them, and through each where there are enough. */
function frameAt(fillings: readonly Filling[], share: number): { readonly place: number; readonly frame: number } {
  // Of each filling, also the moment before its first frame.
  const lengths = fillings.map(({ frames }) => frames + 1);
  let frame = Math.floor(share * lengths.reduce((sum, length) => sum + length, 0));
  let place = 0;
  for (; frame >= lengths[place]!; place += 1) frame -= lengths[place]!;
  return { place, frame };
}

/** Makes the files as they are found when the power is back. The index (`-shm`) is memory, and gone. */
function writeFiles(file: string, filling: Filling, frame: number, way: Way, random: () => number): void {
  const end = frame === 0 ? 0 : logHeaderBytes + frame * frameBytes;
  const synced = filling.log.subarray(0, end);
  // What an earlier filling left in the file behind that.
  const old = filling.before.subarray(end);
  switch (way) {
    case "cut":
      writeFileSync(file, filling.base);
      writeFileSync(`${file}-wal`, Buffer.concat([synced, old]));
      return;
    case "torn": {
      const more = filling.log.subarray(end, end + 1 + Math.floor(random() * (frameBytes - 1)));
      writeFileSync(file, filling.base);
      writeFileSync(`${file}-wal`, Buffer.concat([synced, more, filling.before.subarray(end + more.length)]));
      return;
    }
    case "scattered": {
      const more = Buffer.from(filling.log.subarray(end, end + 40 * frameBytes));
      for (let at = 0; at < more.length; at += sector) {
        const dice = random();
        if (dice < 0.5) continue;
        const there = filling.before.subarray(end + at, end + at + sector);
        const part = more.subarray(at, at + sector);
        part.fill(dice < 0.6 ? 0x5a : 0);
        if (dice >= 0.6) there.copy(part);
      }
      writeFileSync(file, filling.base);
      writeFileSync(`${file}-wal`, Buffer.concat([synced, more]));
      return;
    }
    case "checkpoint": {
      writeFileSync(file, filling.base);
      writeFileSync(`${file}-wal`, synced);
      const copied = copiedPages(file);
      const base = Buffer.alloc(copied.length);
      filling.base.copy(base);
      for (let at = 0; at < copied.length; at += sector) {
        if (random() < 0.5) copied.copy(base, at, at, at + sector);
      }
      writeFileSync(file, base);
      writeFileSync(`${file}-wal`, synced);
    }
  }
}

/** The database's file when all of the log has been copied into it. */
function copiedPages(file: string): Buffer {
  const database = new Database(file);
  database.pragma("wal_checkpoint(TRUNCATE)");
  const pages = database.serialize();
  database.close();
  rmSync(`${file}-shm`, { force: true });
  return pages;
}

type KnownFact = Filling["facts"][number]["fact"];

/** What is not there, or is there and damaged. */
function missingIn(file: string, facts: readonly KnownFact[]): string[] {
  const database = new Database(file);
  try {
    const problems: string[] = [];
    const integrity = database.pragma("integrity_check", { simple: true }) as string;
    if (integrity !== "ok") problems.push(`integrity: ${integrity}`);
    if (facts.length === 0) return problems;
    const all = (sql: string): Set<unknown> => new Set(database.prepare(sql).pluck().all());
    const known = {
      workflow: all("SELECT run FROM wfe_workflows"),
      turn: all("SELECT run || ' ' || seq FROM wfe_turns"),
      event: all("SELECT event_id FROM wfe_events"),
      delivery: all("SELECT run || ' ' || number FROM wfe_deliveries"),
    };
    for (const fact of facts) {
      const is =
        fact.kind === "workflow"
          ? known.workflow.has(fact.run)
          : fact.kind === "turn"
            ? known.turn.has(`${fact.run} ${fact.seq}`)
            : fact.kind === "event"
              ? known.event.has(fact.id)
              : known.delivery.has(`${fact.run} ${fact.number}`);
      if (!is) problems.push(`not there: ${JSON.stringify(fact)}`);
    }
    return problems;
  } finally {
    database.close();
  }
}

/** Runs what is in the file to its end. Whoever published before the power failed publishes again, under the same ids. */
async function finish(directory: string, file: string, starts: readonly Acknowledged[]): Promise<string[]> {
  await using store = await CrashStore.at(`sqlite:${file}`, directory);
  const kinds = mixOf({
    store: store.spec,
    directory,
    publish: (name, key, payload, id) => host.publishEvent(name, key, payload, { id }),
  });
  const workflows = [...kindNames, "child"].map((name) => kinds[name]!.definition);
  await using host = new WorkflowHost({ providers: [sqlite(file)], workflows, lease: "1s", log: quiet() });
  await host.start();
  for (const { id, kind, data } of starts) {
    for (let n = 1; n <= (kind.events?.(data) ?? 0); n += 1) {
      await host.publishEvent(ticked, id, { n }, { id: `${id}-${n}` });
    }
  }
  const unfinished = { status: ["runnable", "waiting", "suspended"] as const };
  const standing = async (): Promise<unknown> => {
    const { items } = await host.listWorkflows({ ...unfinished, limit: 20 });
    return items.map(({ id, status, waitingFor, error }) => ({ id, status, waitingFor, error: error?.message }));
  };
  await until({ what: "all have ended", withinMs: 120_000, otherwise: standing }, async () => {
    // The power may have failed between a suspension and its end: who asked for the one asks for the other again.
    const { items } = await host.listWorkflows({ status: "suspended" });
    for (const { id } of items) await (await host.resumeWorkflow(id)).applied({ timeout: "10s" }).catch(() => {});
    return (await host.countWorkflows(unfinished)) === 0;
  });
  await host.stop();
  await using reader = new WorkflowHost({ providers: [sqlite(file)], workflows, log: quiet() });
  const { lost, doubled, stuck, damaged } = await auditOf(store, reader, starts);
  return [...lost, ...doubled, ...stuck, ...damaged];
}
