import { ExecutionResult, retry, workflow } from "@wfe/core";
import { describe, expect, it } from "vitest";
import { historyOf } from "../support/history.ts";
import { recorder } from "../support/recorder.ts";
import { stores } from "../support/stores.ts";
import { World } from "../support/world.ts";

describe.each(stores)("the death of a host on $name", (store) => {
  it("loses nothing acknowledged: what was done stays done, the rest goes on elsewhere", async () => {
    await using world = new World(store);
    const { step, gated, counts } = recorder();
    const stuck = gated("stuck");
    const definition = workflow()
      .then(step("a", 1))
      .as("a")
      .then(step("b", 2))
      .as("b")
      .then(stuck)
      .then(step("tail"))
      .build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    world.kill(first);
    stuck.open();
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    expect(await second.handle(definition, id).result()).toEqual({ a: 1, b: 2 });
    expect(counts()).toMatchObject({ a: 1, b: 1, stuck: 2, tail: 1 });
    const items = await historyOf(second, id);
    expect(items.filter(({ kind }) => kind === "taken-over")).toHaveLength(1);
    const seqs = [...new Set(items.map(({ seq }) => seq))];
    expect(seqs).toEqual(seqs.map((_, index) => index));
  });

  it("runs a step that may have been running again, under the same key and as a later attempt", async () => {
    await using world = new World(store);
    const seen: { key: string; attempt: number }[] = [];
    const definition = workflow()
      .then(async (_, ctx) => {
        seen.push({ key: ctx.idempotencyKey, attempt: ctx.step.attempt });
        if (seen.length === 1) await new Promise(() => {});
        return "done";
      })
      .as("result")
      .onError(retry({ maxRetries: 0 }))
      .build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    world.kill(first);
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    expect(await second.handle(definition, id).result()).toEqual({ result: "done" });
    expect(seen[1]?.key).toBe(seen[0]?.key);
    expect(seen.map(({ attempt }) => attempt)).toEqual([1, 2]);
  });

  it.each(["fail", "suspend", "retry"] as const)("does with a step what `onCrash: %s` says", async (behavior) => {
    await using world = new World(store);
    let runs = 0;
    const { step, ran } = recorder();
    const definition = workflow()
      .then(async () => {
        runs += 1;
        if (runs === 1) await new Promise(() => {});
      })
      .id("delicate")
      .onCrash(behavior)
      .compensateWith(step("undo"))
      .then(step("tail"))
      .build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    world.kill(first);
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    const details = await second.getWorkflow(id);
    if (behavior === "retry") {
      expect(details?.status).toBe("completed");
      expect(runs).toBe(2);
      expect(ran).toEqual(["tail"]);
    } else if (behavior === "fail") {
      expect(details).toMatchObject({ status: "failed", error: { code: "STEP_CRASHED", stepId: "delicate" } });
      expect(runs).toBe(1);
      expect(ran).toEqual(["undo"]);
    } else {
      expect(details).toMatchObject({ status: "suspended", error: { code: "STEP_CRASHED" } });
      expect(runs).toBe(1);
      await second.resumeWorkflow(id);
      await world.settle();
      await second.handle(id).result();
      expect(runs).toBe(2);
      expect(ran).toEqual(["tail"]);
    }
  });

  it("does not judge by `onCrash` a step that had not begun", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().delay("1m").then(step("delicate")).onCrash("fail").build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    world.kill(first);
    const second = await world.start([definition]);
    await world.clock.advance("5m");
    expect((await second.getWorkflow(id))?.status).toBe("completed");
    expect(ran).toEqual(["delicate"]);
  });

  it("does not use up retries", async () => {
    await using world = new World(store);
    const attempts: number[] = [];
    const definition = workflow()
      .then(async (_, ctx) => {
        attempts.push(ctx.step.attempt);
        if (attempts.length <= 2) await new Promise(() => {});
        if (attempts.length <= 4) throw new Error("again");
      })
      .onError(retry({ interval: "1s", maxRetries: 2 }))
      .build("w", 1);
    let host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    for (let death = 0; death < 2; death += 1) {
      await world.settle();
      world.kill(host);
      host = await world.start([definition]);
      await world.clock.advance("30s");
    }
    await world.clock.advance("30s");
    expect((await host.getWorkflow(id))?.status).toBe("completed");
    expect(attempts).toEqual([1, 2, 3, 4, 5]);
  });

  it("keeps timers, waits, persisted data, retries and undoing going", async () => {
    await using world = new World(store);
    const { step, failing, ran } = recorder();
    const definition = workflow()
      .then((_, ctx) => {
        if (ctx.persisted === undefined) return ExecutionResult.sleep("20s", { page: 1 });
        return ExecutionResult.next((ctx.persisted as { page: number }).page);
      })
      .as("page")
      .delay("20s")
      .waitFor<string>("e", "")
      .as("event")
      .then(failing("shaky", 1))
      .onError(retry({ interval: "20s" }))
      .saga((s) =>
        s
          .then(step("booked"))
          .compensateWithSequence((u) => u.delay("20s").then(step("cancelled")))
          .then(failing("bad")),
      )
      .onError("ignore")
      .build("w", 1);
    let host = await world.start([definition]);
    const { id } = await host.startWorkflow(definition, {});
    await host.publishEvent("e", "", "hello");
    for (let death = 0; death < 12; death += 1) {
      await world.clock.advance("8s");
      world.kill(host);
      host = await world.start([definition]);
      await world.clock.advance("12s");
    }
    await world.clock.advance("2m");
    expect(await host.getWorkflow(id)).toMatchObject({ status: "completed", data: { page: 1, event: "hello" } });
    expect(ran).toEqual(["shaky", "shaky", "booked", "bad", "cancelled"]);
  });

  it("suspends as poison a workflow that ran alone each time a host died, and none of its neighbours", async () => {
    await using world = new World(store);
    const definition = workflow<{ poison: boolean }>()
      .then(async (data) => {
        if (data.poison) await new Promise(() => {});
        return "fine";
      })
      .as("result")
      .waitFor("never", "")
      .build("w", 1);
    let host = await world.start([definition], { maxDeaths: 2 });
    const { id } = await host.startWorkflow(definition, { poison: true });
    const neighbour = await host.startWorkflow(definition, { poison: false });
    for (let death = 0; death < 8; death += 1) {
      await world.settle();
      if ((await host.getWorkflow(id))?.status === "suspended") break;
      world.kill(host);
      host = await world.start([definition], { maxDeaths: 2 });
      await world.clock.advance("30s");
    }
    expect(await host.getWorkflow(id)).toMatchObject({ status: "suspended", error: { code: "POISON_WORKFLOW" } });
    expect(await host.getWorkflow(neighbour.id)).toMatchObject({ status: "waiting", data: { result: "fine" } });
    await (await host.terminateWorkflow(id)).applied();
  });

  it("loses no call that was accepted before it", async () => {
    await using world = new World(store);
    const definition = workflow().waitFor<number>("e", "").as("n").delay("1h").build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    await first.publishEvent("e", "", 7);
    await first.suspendWorkflow(id, { reason: "audit" });
    world.kill(first);
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    expect(await second.getWorkflow(id)).toMatchObject({ status: "suspended", reason: "audit" });
    await second.resumeWorkflow(id);
    await world.clock.advance("2h");
    expect(await second.handle(definition, id).result()).toEqual({ n: 7 });
  });
});

describe.each(stores)("several hosts on $name", (store) => {
  it("share the work, and run each step once", async () => {
    await using world = new World(store);
    const ranBy: string[] = [];
    const definition = workflow<{ n: number }>()
      .then((data) => {
        ranBy.push(`first ${data.n}`);
      })
      .delay("1s")
      .then((data) => {
        ranBy.push(`second ${data.n}`);
      })
      .build("w", 1);
    const hosts = [await world.start([definition]), await world.start([definition]), await world.start([definition])];
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => hosts[n % 3]?.startWorkflow(definition, { n }, { id: `w-${n}` })),
    );
    await world.clock.advance("1m");
    expect(await hosts[0]?.countWorkflows({ status: "completed" })).toBe(60);
    expect(ranBy).toHaveLength(120);
    expect(new Set(ranBy).size).toBe(120);
  });

  it("hand a workflow over at a stop, without waiting for a lease", async () => {
    await using world = new World(store);
    const { step, ran } = recorder();
    const definition = workflow().then(step("a")).delay("500ms").then(step("b")).build("w", 1);
    const first = await world.start([definition], { lease: "1h" });
    const second = await world.start([definition], { lease: "1h" });
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    await first.stop();
    await world.clock.advance("10s");
    expect((await second.getWorkflow(id))?.status).toBe("completed");
    expect(ran).toEqual(["a", "b"]);
  });

  it("give results to whoever waits for them, wherever the workflow runs", async () => {
    await using world = new World(store);
    const definition = workflow()
      .delay("1s")
      .then(() => 7)
      .as("n")
      .build("w", 1);
    const runner = await world.start([definition]);
    const client = world.host([definition]);
    const handle = await client.startWorkflow(definition, {});
    const result = handle.result();
    await world.clock.advance("10s");
    expect(await result).toEqual({ n: 7 });
    expect((await runner.getWorkflow(handle.id))?.status).toBe("completed");
  });

  it("deliver a control call from one to a body that runs on another", async () => {
    await using world = new World(store);
    const reasons: unknown[] = [];
    const definition = workflow()
      .then(async (_, ctx) => {
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        await new Promise(() => {});
      })
      .build("w", 1);
    const runner = await world.start([definition]);
    const { id } = await runner.startWorkflow(definition, {});
    await world.settle();
    const other = await world.start([]);
    await other.suspendWorkflow(id);
    await world.clock.advance("5s");
    expect(reasons).toMatchObject([{ reason: "suspended" }]);
    expect((await other.getWorkflow(id))?.status).toBe("suspended");
  });

  it("refuse the turns of a host that lost its lease and does not know", async () => {
    await using world = new World(store);
    const { ran } = recorder();
    const late = Promise.withResolvers<string>();
    const definition = workflow()
      .then(async (_, ctx) => {
        ran.push(`attempt ${ctx.step.attempt}`);
        return ctx.step.attempt === 1 ? late.promise : "second";
      })
      .as("result")
      .then((data) => {
        ran.push(`tail after ${data.result}`);
      })
      .build("w", 1);
    const first = await world.start([definition]);
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    world.kill(first);
    const second = await world.start([definition]);
    await world.clock.advance("1m");
    late.resolve("first");
    await world.clock.advance("1m");
    expect(await second.handle(definition, id).result()).toEqual({ result: "second" });
    expect(ran).toEqual(["attempt 1", "attempt 2", "tail after second"]);
  });
});

describe.each(stores)("a host that cannot reach its store, on $name", (store) => {
  it("tells its bodies, is replaced, and comes back as a host that holds nothing", async () => {
    await using world = new World(store);
    const reasons: unknown[] = [];
    const ran: string[] = [];
    const definition = workflow()
      .then(async (_, ctx) => {
        ran.push(`attempt ${ctx.step.attempt}`);
        if (ctx.step.attempt > 1) return "second";
        ctx.signal.addEventListener("abort", () => reasons.push(ctx.signal.reason));
        return new Promise<string>((resolve) => {
          ctx.signal.addEventListener("abort", () => resolve("first"));
        });
      })
      .as("result")
      .build("w", 1);
    const first = await world.start([definition], { name: "first" });
    const { id } = await first.startWorkflow(definition, {});
    await world.settle();
    world.setLine(first, "cut");
    const second = await world.start([definition], { name: "second" });
    await world.clock.advance("30s");
    expect(reasons).toMatchObject([{ code: "STEP_ABORTED", reason: "lease-lost" }]);
    expect(await second.handle(definition, id).result()).toEqual({ result: "second" });
    world.setLine(first, "open");
    await world.clock.advance("30s");
    expect(ran).toEqual(["attempt 1", "attempt 2"]);
    expect(await first.health()).toMatchObject({ ok: true, lease: "alive" });
    await second.stop();
    const later = await first.startWorkflow(definition, {});
    await world.settle();
    await first.terminateWorkflow(later.id);
  });

  it("repeats what may or may not have been stored, so that it counts once", async () => {
    await using world = new World(store);
    const { step, counts } = recorder();
    const definition = workflow<{ list: number[] }>()
      .whileDo(
        (data) => data.list.length < 4,
        (b) =>
          b
            .then((data) => data.list.length)
            .output((data, n) => ({ list: [...data.list, n] }))
            .waitFor("go", "")
            .then(step("went")),
      )
      .build("w", 1);
    const host = await world.start([definition]);
    const client = world.host([definition]);
    const { id } = await client.startWorkflow(definition, { list: [] });
    for (let round = 0; round < 4; round += 1) {
      await world.settle();
      world.setLine(host, "deaf");
      await client.publishEvent("go", "", round);
      await world.clock.advance("1s");
      world.setLine(host, "open");
      await world.clock.advance("10s");
    }
    expect(await client.getWorkflow(id)).toMatchObject({ status: "completed", data: { list: [0, 1, 2, 3] } });
    expect(counts()["went"]).toBeGreaterThanOrEqual(4);
    const completed = (await historyOf(client, id)).filter(
      ({ kind, stepId }) => kind === "step-completed" && stepId?.endsWith("went"),
    );
    expect(completed).toHaveLength(4);
  });

  it("rejects calls of callers in the end, and takes them again when it can", async () => {
    await using world = new World(store);
    const definition = workflow()
      .then(() => 1)
      .build("w", 1);
    const host = await world.start([definition]);
    world.setLine(host, "cut");
    const started = host.startWorkflow(definition, {}, { id: "w-1" }).then(
      () => "started",
      (error: unknown) => (error as { code?: string }).code,
    );
    await world.clock.advance("5m");
    expect(["started", "STORE_UNREACHABLE"]).toContain(await started);
    world.setLine(host, "open");
    await world.clock.advance("1m");
    const again = await host.startWorkflow(definition, {}, { id: "w-1" });
    await again.result();
  });
});
