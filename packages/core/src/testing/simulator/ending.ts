import { isFinal, nextDueAt, projectionOf } from "../../engine/index.ts";
import type { Run, WorkflowRow } from "../../providers/index.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import { hasEnded } from "./store-audit.ts";
import { wrongUndoing } from "./undo-audit.ts";
import type { World } from "./world.ts";

/** After the last fault, or the last thing that moved it, a workflow that has something to do does it within this time. */
const patienceMs = 45_000;
/** Resumed so often in vain, a workflow is terminated. */
const mostResumes = 3;
/** Between two calls that are to bring a workflow to its end. */
const pushEveryMs = 1_000;
/** Of the calls that could succeed so many do, or the schedule has shown nothing. */
const leastSuccess = 0.8;
/** How long after the end of everything whoever waits may have to. */
const answersWithinMs = 12_000;
/** Of so few calls nothing follows; the runs of many schedules count all of them together. */
const fewCalls = 30;
/** How long a stop may take beyond the time that it was given. */
const stopPatienceMs = 40_000;

/** Brings a schedule to its end, in which nothing may be missing. */
export class Ending {
  readonly #world: World;
  readonly #pushedAt: Map<Run, number> = new Map();
  readonly #resumes: Map<Run, number> = new Map();
  #published = 0;
  #stopping = false;
  /** When everything had ended, while the client still waits for answers. */
  #endedAt: number | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** Called now and then after the last fault. */
  async further(rows: readonly WorkflowRow[]): Promise<void> {
    const { scheduler, plan, audit, callers } = this.#world;
    if (this.#stopping) return;
    const begun = plan.operations.every(({ atMs }) => atMs < scheduler.now);
    const stillToCome = await audit.persistence.nextDueAt([]);
    if (
      begun &&
      !callers.isBusy &&
      stillToCome === null &&
      rows.every((row) => hasEnded(row) && row.owner === null && row.dueAt === null)
    ) {
      if (callers.waits.size === 0) return this.#stopAll();
      this.#mustAnswer();
      return;
    }
    this.#endedAt = undefined;
    this.#mustMove(rows);
    for (const row of rows) this.#push(row);
  }

  /** Nothing has moved for long, and nothing is due: then whoever has not ended never will. */
  #mustMove(rows: readonly WorkflowRow[]): void {
    const { scheduler, audit, verdict, healedAt = 0 } = this.#world;
    const states = [...audit.journals.values()];
    const lastMove = Math.max(healedAt, ...states.map(({ movedAt }) => movedAt));
    const now = this.#world.storeNow();
    const sleeps =
      states.some(({ state }) => (nextDueAt(state) ?? 0) > now) || rows.some(({ dueAt }) => (dueAt ?? 0) > now);
    if (sleeps || scheduler.now - lastMove < patienceMs) return;
    const stuck = rows.filter((row) => !hasEnded(row) || row.owner !== null || row.dueAt !== null);
    const told = stuck.map((row) => {
      const { state } = audit.journal(row.run);
      return `${row.id} (${row.status}, owner ${row.owner}, due ${row.dueAt === null ? null : row.dueAt - now}, ${state.phase} at turn ${state.seq})`;
    });
    verdict.fail(
      "everything comes to an end",
      `nothing has moved for ${scheduler.now - lastMove} ms, and there is ${told.join(", ")}`,
    );
  }

  /** Publishes what it waits for, resumes it, and at last terminates it. */
  #push(row: WorkflowRow): void {
    const { scheduler, audit } = this.#world;
    const journal = audit.journal(row.run);
    if (isFinal(journal.state) || scheduler.now - (this.#pushedAt.get(row.run) ?? 0) < pushEveryMs) return;
    const [waiting] = projectionOf(journal.state).waitingFor;
    if (row.status === "suspended") {
      const resumes = (this.#resumes.get(row.run) ?? 0) + 1;
      this.#resumes.set(row.run, resumes);
      this.#pushedAt.set(row.run, scheduler.now);
      this.#world.asClient((client) =>
        this.#world.callers.control(resumes > mostResumes ? "terminate" : "resume", row, client),
      );
    } else if (waiting !== undefined) {
      this.#published += 1;
      const id = `wanted${this.#published}`;
      this.#pushedAt.set(row.run, scheduler.now);
      this.#world.asClient((client) =>
        this.#world.callers.publishWanted(row.namespace, waiting.event, waiting.key, id, client),
      );
    }
  }

  /** Stops a host, and sees that it lets go. */
  async stop(process: SimulatedProcess, timeoutMs: number): Promise<void> {
    const { audit, scheduler, verdict } = this.#world;
    const { faults } = process;
    const askedAt = scheduler.now;
    await process.host.stop({ timeout: timeoutMs });
    const id = process.lease?.id;
    this.#world.tell(() => `${process.name} has stopped`);
    // Where its calls failed, its lease runs out by itself.
    if (id === undefined || process.faults > faults || process.frozenAt >= askedAt || process.cutOff !== "nothing")
      return;
    if (!audit.leases.dead.has(id))
      verdict.fail("a stop lets go", `${process.name} has stopped, and its lease is alive`);
    const owned = await scheduler.hold(audit.persistence.owned(id));
    // What it has claimed without hearing of it, the next one takes from its lease.
    if (owned.length > 0 && process.claimsInDoubt === 0 && process.slowUntil < askedAt)
      verdict.fail(
        "a stop lets go",
        `${process.name} has stopped, and still owns ${owned.map(({ run }) => audit.journal(run).label).join(", ")}`,
      );
  }

  /** Everything has ended: whoever waits hears of it soon, also where all hints were lost. */
  #mustAnswer(): void {
    const { scheduler, callers, verdict } = this.#world;
    this.#endedAt ??= scheduler.now;
    if (scheduler.now - this.#endedAt > answersWithinMs)
      verdict.fail("everything comes to an end", `the client still waits for ${[...callers.waits].join(", ")}`);
  }

  #stopAll(): void {
    this.#stopping = true;
    const { scheduler, processes, verdict, client } = this.#world;
    const running = processes.filter(({ alive }) => alive);
    let left = running.length;
    const last = async (): Promise<void> => {
      await client.host.stop({ timeout: 0 });
      await scheduler.hold(this.#judge());
      this.#world.finished();
    };
    for (const process of running) {
      scheduler.at(0, process, () => {
        void this.stop(process, 1_000).then(() => {
          left -= 1;
          if (left === 0) scheduler.at(0, client, () => void last());
        });
      });
    }
    if (running.length === 0) scheduler.at(0, client, () => void last());
    scheduler.at(stopPatienceMs, undefined, () => verdict.fail("a stop lets go", "hosts do not come to a stop"));
  }

  /** What can be judged at the end only. */
  async #judge(): Promise<void> {
    const { audit, verdict, callers } = this.#world;
    const { persistence } = audit;
    for (const [run, journal] of audit.journals) {
      const wrong = wrongUndoing(journal.entries);
      if (wrong !== undefined) verdict.fail("undoing is the reverse of what was done", `${journal.label}: ${wrong}`);
      if (audit.purged.has(run)) continue;
      const stored = await persistence.turns(run, { from: 0, limit: 100_000 });
      if (
        stored.some(({ seq, turn }, index) => seq !== index || turn !== journal.turns[index]) ||
        stored.length !== journal.turns.length
      )
        verdict.fail(
          "a journal is one line without gaps",
          `${journal.label}: its journal is not what was appended to it`,
        );
    }
    for (const [run, deliveries] of audit.deliveries) {
      const unread = deliveries.find(({ outcome }) => outcome === undefined);
      if (unread !== undefined)
        verdict.fail(
          "calls are read once, in order",
          `${audit.journal(run).label}: call ${unread.number} was never read`,
        );
    }
    const owners = await persistence.owners();
    if (owners.length > 0) verdict.fail("a lease dies once", `at the end workflows belong to ${owners.join(", ")}`);
    await callers.judge(async (namespace, name, key) => {
      const streams = [{ name, key, after: 0, since: 0, limit: 10_000 }];
      const [pulled] = await persistence.pull([{ run: 0, namespace, streams }]);
      return (pulled?.events[0]?.events ?? []).map(({ payloadText }) => (JSON.parse(payloadText) as { id: string }).id);
    });
    if (callers.asked > fewCalls && callers.acknowledged < leastSuccess * callers.asked)
      verdict.fail("a run is not vacuous", `of ${callers.asked} calls ${callers.acknowledged} succeeded`);
  }
}
