import { isDeepStrictEqual } from "node:util";
import { type HistoryItem, WorkflowHost } from "@wfe/core";
import { Child } from "../../processes/support/child.ts";
import { pause, until } from "../../processes/support/until.ts";
import { type Acknowledged, type Audit, auditOf, wholeHistory } from "../audit.ts";
import { type Kind, kindNames, mixOf, ticked } from "../mix.ts";
import { quiet } from "../quiet.ts";
import { randomOf } from "../random.ts";
import { CrashStore, type StoreName } from "../stores/crash-store.ts";
import { heldOf } from "./held.ts";
import type { ZombieOptions } from "./zombie-runner.ts";

export interface ZombieReport extends Audit {
  readonly zombies: number;
  /** Bodies that a frozen process was in, that others took over, and whose signal it aborted when it was thawed. */
  readonly aborted: number;
  /** How often one was frozen while it had the store's one lock for writing: it was thawed for a moment. */
  readonly frozenInWrites: number;
  /** Workflows that others had ended while it was frozen, and to which something was added after it was thawed. */
  readonly changed: readonly string[];
}

const heldAtOnce = 3;
const besides = 6;

/**
 * Freezes processes that run the mix, beyond their lease, at random moments. Another process takes over; then the frozen one is
 * thawed, believes itself the owner, and must find out that it is not: it commits nothing, and aborts the signals of its bodies.
 */
export async function zombies(options: {
  readonly seed: number;
  readonly zombies: number;
  readonly store?: StoreName;
}): Promise<ZombieReport> {
  await using store = await CrashStore.create(options.store);
  const random = randomOf(options.seed);
  const given: ZombieOptions = { store: store.spec, directory: store.directory };
  const script = new URL("./zombie-runner.ts", import.meta.url);
  const survived = new Set<string>();
  const held = heldOf(store.spec, { began: () => {}, aborted: () => {} }, survived);
  const kinds = mixOf({ store: store.spec, publish: () => Promise.reject(new Error("it runs nothing")) });
  const workflows = [held.definition, ...[...kindNames, "child"].map((name) => kinds[name]!.definition)];
  await using host = new WorkflowHost({ providers: store.providers(), workflows, log: quiet() });
  const starts: Acknowledged[] = [];
  const start = async (id: string, kind: Kind): Promise<void> => {
    const data = kind.data(random);
    await host.startWorkflow(kind.definition, data, { id });
    starts.push({ id, kind, data });
    for (let n = 1; n <= (kind.events?.(data) ?? 0); n += 1) {
      await host.publishEvent(ticked, id, { n }, { id: `${id}-${n}` });
    }
  };

  const changed: string[] = [];
  let aborted = 0;
  let frozenInWrites = 0;
  // One that stays frozen after a failure would keep its locks, and nobody could remove the store.
  await using processes = new AsyncDisposableStack();
  let current = processes.use(await Child.spawn(script, given));
  await current.call("start");
  for (let round = 0; round < options.zombies; round += 1) {
    const next = processes.use(Child.begin(script, given));
    const ids = Array.from({ length: heldAtOnce }, (_, n) => `held-${round}-${n}`);
    for (const id of ids) await start(id, held);
    const zombie = current;
    await until({ what: "it is in all bodies", otherwise: () => zombie.errors }, () => hasTold(zombie, "began", ids));
    for (let n = 0; n < besides; n += 1) {
      const name = kindNames[Math.floor(random() * kindNames.length)]!;
      await start(`${name}-${round}-${n}`, kinds[name]!);
    }
    await pause(random() * 60);
    zombie.kill("SIGSTOP");
    // SQLite has one lock for all who write, and nobody can take over from a process that is frozen while it has that.
    while (!(await store.isWritable())) {
      frozenInWrites += 1;
      zombie.kill("SIGCONT");
      await pause(random() * 20);
      zombie.kill("SIGSTOP");
    }

    await next.ready();
    await next.call("start");
    for (const id of ids) await host.handle(id).result({ timeout: "30s" });
    const before = await historiesOf(host, ids);
    zombie.kill("SIGCONT");
    await until({ what: "its signals abort", otherwise: () => zombie.errors }, () => hasTold(zombie, "aborted", ids));
    await until({ what: "it is a host again" }, () => zombie.call<boolean>("isWell"));
    const after = await historiesOf(host, ids);
    for (const id of ids) if (!isDeepStrictEqual(before.get(id), after.get(id))) changed.push(id);
    // Thawed again and again for a moment, it may have kept its lease.
    for (const id of ids) if (!after.get(id)?.some(({ kind }) => kind === "taken-over")) survived.add(id);
    aborted += ids.filter((id) => !survived.has(id)).length;

    await zombie.call("stop");
    await zombie[Symbol.asyncDispose]();
    current = next;
  }

  const unfinished = { status: ["runnable", "waiting", "suspended"] as const };
  // What has not ended by then is told by the audit.
  await until(
    { what: "all have ended", withinMs: 60_000 },
    async () => (await host.countWorkflows(unfinished)) === 0,
  ).catch(() => {});
  await current.call("stop");
  await current[Symbol.asyncDispose]();
  return { zombies: options.zombies, aborted, frozenInWrites, changed, ...(await auditOf(store, host, starts)) };
}

function hasTold(child: Child, fact: string, ids: readonly string[]): boolean {
  const told = new Set(child.told(fact));
  return ids.every((id) => told.has(id));
}

async function historiesOf(host: WorkflowHost, ids: readonly string[]): Promise<Map<string, HistoryItem[]>> {
  return new Map(await Promise.all(ids.map(async (id) => [id, await wholeHistory(host, id)] as const)));
}
