import { expect, it, onTestFinished } from "vitest";
import { WorkflowHost } from "../../../src/host/workflow-host.ts";
import { memory, TestClock } from "../../../src/testing/index.ts";
import { seededRandom } from "../../../src/testing/test-runtime.ts";
import { child, define, delay, forEach, parallel, retry, saga, step, wait, whileDo } from "./definitions.ts";
import { faulty, type Fault, type Faulty } from "./faulty.ts";

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const seeds = Number(process.env["WFE_CHAOS_SEEDS"] ?? 2);
const first = Number(process.env["WFE_CHAOS_FIRST"] ?? 1);

/** Hosts come and go, by `stop` and by death; the store fails before and after calls; events come at any time. */
for (let seed = first; seed < first + seeds; seed++) {
  it(
    `commits every result once, and loses nothing, whatever becomes of hosts and calls (seed ${seed})`,
    { timeout: 60_000 },
    async () => {
      const random = seededRandom(seed);
      const pick = (below: number): number => Math.floor(random() * below);
      const clock = new TestClock();
      const store = memory({ clock, fanOut: 3 });
      const pause = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(ms, resolve));
      const slow = (value: unknown) => async (): Promise<unknown> => {
        await pause(pick(3000));
        return value;
      };
      const shaky = (value: unknown) => async (): Promise<unknown> => {
        await pause(pick(500));
        if (random() < 0.4) throw new Error("shaky");
        return value;
      };
      const again = { onError: retry({ intervalMs: 200, maxRetries: 1000, maxIntervalMs: 1000 }) };
      const inner = define("inner", [
        step("x", shaky("x"), again),
        wait("e", "inner", (data) => data.key, { asOf: "beginning" }),
        step("y", slow("y")),
      ]);
      const outer = define("outer", [
        step("a", slow("a")),
        parallel("p", [
          [step("b", shaky("b"), again), delay("d1", "3s"), step("c", slow("c"), { onCrash: "retry" })],
          [wait("w", "outer", (data) => data.key, { timeout: "1h" }), step("f", () => "f")],
          [child("kid", "inner", { input: (data) => ({ key: data.key }) })],
        ]),
        forEach(
          "each",
          () => [0, 1, 2, 3, 4],
          [step("g", async (_: unknown, ctx: any) => (await pause(pick(300)), ctx.item * 10))],
          { concurrency: 2, as: "out" },
        ),
        whileDo("loop", (data) => (data.n ?? 0) < 3, [
          wait("tick", "tick", (data) => data.key),
          step("n", (data) => (data.n ?? 0) + 1),
        ]),
        saga("s", [step("h", shaky("h"), { ...again, compensation: { nodes: [step("undo", () => undefined)] } })]),
      ]);

      const hosts: { host: WorkflowHost; cut: Faulty; dead: boolean }[] = [];
      const chance = (method: string): Fault => {
        if (method === "bindLockProvider" || random() > 0.08) return undefined;
        return random() < 0.5 ? "before" : "after";
      };
      const join = async (): Promise<void> => {
        const cut = faulty(store);
        const host = new WorkflowHost({
          providers: [cut],
          clock: cut.mortal(clock),
          log: quiet,
          workflows: [inner, outer],
          concurrency: 5 + pick(30),
          lease: "10s",
        });
        const joined = { host, cut, dead: false };
        await host.start();
        cut.fault = chance;
        hosts.push(joined);
      };
      const client = new WorkflowHost({ providers: [store], clock, log: quiet });
      onTestFinished(async () => {
        for (const { host } of hosts) void host.stop({ timeout: 0 }).catch(() => {});
        void client.stop();
        await clock.advance("30s").catch(() => {});
      });
      await join();
      await join();
      const count = 12;
      for (let index = 0; index < count; index++)
        await client.startWorkflow(outer, { key: `k${index}` }, { id: `w${index}` });

      const events: [string, string][] = [];
      for (let index = 0; index < count; index++) {
        for (const name of ["inner", "outer", "tick", "tick", "tick"]) events.push([name, `k${index}`]);
      }
      while (events.length > 0) {
        const [[name, key]] = events.splice(pick(events.length), 1) as [[string, string]];
        await client.publishEvent(name, key, name);
        if (random() < 0.5) await clock.advance(pick(2500));
        const alive = hosts.filter(({ dead }) => !dead);
        if (random() < 0.06 && alive.length > 1) {
          const victim = alive[pick(alive.length)]!;
          victim.dead = true;
          if (random() < 0.6) victim.cut.kill();
          else {
            const stopped = victim.host.stop({ timeout: pick(2000) });
            await clock.advance("12s");
            await stopped;
          }
        }
        // Cut off for so long that others take over, and back again.
        const cut = alive[pick(alive.length)];
        if (random() < 0.05 && cut !== undefined && !cut.cut.isCut) {
          cut.cut.isCut = true;
          clock.setTimer(5000 + pick(20_000), () => (cut.cut.isCut = false));
        }
        if (random() < 0.2) {
          const id = `w${pick(count)}`;
          await client.suspendWorkflow(id).catch(() => {});
          clock.setTimer(pick(5000), () => void client.resumeWorkflow(id).catch(() => {}));
        }
        if (random() < 0.06 || hosts.filter(({ dead }) => !dead).length < 2) await join();
      }
      for (let minute = 0; minute < 10; minute++) await clock.advance("30s");
      for (const { cut } of hosts) cut.fault = () => undefined;
      await clock.advance("2m");

      for (let index = 0; index < count; index++) {
        const view = await client.getWorkflow(`w${index}`);
        expect(view, `w${index}`).toMatchObject({
          status: "completed",
          data: {
            key: `k${index}`,
            a: "a",
            b: "b",
            c: "c",
            w: "outer",
            f: "f",
            out: [0, 10, 20, 30, 40],
            tick: "tick",
            n: 3,
            h: "h",
            kid: { key: `k${index}`, x: "x", e: "inner", y: "y" },
          },
        });
        const items = [];
        for (let cursor: string | undefined; ;) {
          const page = await client.history(`w${index}`, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
          items.push(...page.items);
          cursor = page.cursor;
          if (cursor === undefined) break;
        }
        const seqs = [...new Set(items.map(({ seq }) => seq))];
        expect(seqs).toEqual(seqs.map((_, at) => at));
        const ended = items.filter(({ kind }) => kind === "step-completed").map(({ executionId }) => executionId);
        expect(new Set(ended).size).toBe(ended.length);
      }
      const rows = await store.persistence!.list({ namespace: "default" }, { limit: 500 });
      expect(rows.items.length).toBe(2 * count);
      expect(
        rows.items.filter(({ status, owner, dueAt }) => status !== "completed" || owner !== null || dueAt !== null),
      ).toEqual([]);
    },
  );
}
