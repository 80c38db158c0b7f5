import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { ClaimRequest, PersistenceProvider, QueueItem, QueueProvider, Run } from "../../providers/index.ts";
import { recordFormat } from "../../providers/index.ts";
import type { TestClock } from "../test-clock.ts";
import { type ConformanceHarness, declareCase, type OpenProvider, testFunctionsOf } from "./harness.ts";

export interface QueueHarness extends ConformanceHarness {
  /**
   * Lets time pass for the queue. Default: the test clock advances. A service with a clock of its own waits in reality: the
   * cases use times of one second, and stay 300 ms away from their ends.
   */
  readonly elapse?: (ms: number, clock: TestClock) => Promise<void>;
}

const definition = { id: "order", version: 1 } as const;
const visibilityMs = 1_000;
const within = 600;
const beyond = 1_400;

/**
 * Declares the cases that every `QueueProvider` has to pass, as tests of the runner. Call it from a test file.
 *
 * A queue that is the store's due index has its provider's persistence too: the cases then put workflows there. They accept
 * what a pull gives in either form, `claimed` or `candidates`; what concerns one form alone is skipped by the other.
 */
export function queueConformance(harness: QueueHarness): void {
  const test = testFunctionsOf(harness);
  const it = (claim: string, body: (scene: Scene) => Promise<void>): void => {
    declareCase(harness, test, claim, async (open) => {
      ok(open.provider.queue, "the provider has a queue");
      await body(new Scene(open, open.provider.queue, harness));
    });
  };
  test.describe(`${harness.name}: queue`, () => {
    pullCases(it);
    candidateCases(it);
    hintCases(it);
    if (harness.reopen !== undefined) processCases(it);
  });
}

type Declare = (claim: string, body: (scene: Scene) => Promise<void>) => void;

class Scene {
  readonly open: OpenProvider;
  readonly queue: QueueProvider;
  readonly #store: PersistenceProvider | undefined;
  readonly #harness: QueueHarness;
  #runs = 0;

  constructor(open: OpenProvider, queue: QueueProvider, harness: QueueHarness) {
    this.open = open;
    this.queue = queue;
    this.#store = open.provider.persistence;
    this.#harness = harness;
  }

  /** Makes a workflow due, in the store where there is one, and offers it. */
  async offer(over: { readonly priority?: number; readonly delayMs?: number } = {}): Promise<QueueItem> {
    const { priority = 0, delayMs = 0 } = over;
    const dueAt = this.open.clock.now() + delayMs;
    this.#runs += 1;
    let run = this.#runs;
    if (this.#store !== undefined) {
      const [created] = await this.#store.create([
        {
          namespace: "default",
          id: `workflow-${this.#runs}`,
          uid: this.open.runtime.randomId(),
          definitionId: definition.id,
          version: definition.version,
          definitionHash: "hash",
          priority,
          tags: [],
          startAt: delayMs === 0 ? null : dueAt,
          startText: "{}",
          parent: null,
          firstTurn: null,
        },
      ]);
      run = created?.run ?? run;
    }
    const item = { run, priority, dueAt };
    await this.queue.push([item]);
    return item;
  }

  /** What a pull gives, in either form. */
  async pull(over: Partial<ClaimRequest> = {}, queue: QueueProvider = this.queue): Promise<readonly Run[]> {
    const request = {
      lease: "lease",
      limit: 100,
      definitions: [definition],
      format: recordFormat,
      visibilityMs,
      ...over,
    };
    const { claimed, candidates } = await queue.pull(request);
    return [...claimed.map(({ row }) => row.run), ...candidates.map(({ run }) => run)];
  }

  /** Whether it gives candidates; a queue that claims itself has nothing to hide or to remove. */
  async givesCandidates(): Promise<boolean> {
    const item = await this.offer();
    const { claimed, candidates } = await this.queue.pull({
      lease: "probe",
      limit: 100,
      definitions: [definition],
      format: recordFormat,
      visibilityMs,
    });
    strictEqual(claimed.length + candidates.length, 1, "what was offered is there");
    await this.queue.remove([item]);
    return candidates.length > 0;
  }

  async elapse(ms: number): Promise<void> {
    if (this.#harness.elapse === undefined) await this.open.clock.advance(ms);
    else await this.#harness.elapse(ms, this.open.clock);
  }

  async soon(holds: () => boolean): Promise<void> {
    for (let step = 0; step < 400 && !holds(); step += 1) {
      await this.open.clock.advance(50);
      await new Promise((resolve) => setTimeout(resolve, step < 40 ? 1 : 10));
    }
    ok(holds(), "it comes in time");
  }
}

function pullCases(it: Declare): void {
  it("gives what was offered", async (scene) => {
    const { run } = await scene.offer();
    deepStrictEqual(await scene.pull(), [run]);
  });

  it("gives nothing where nothing was offered", async (scene) => {
    deepStrictEqual(await scene.pull(), []);
  });

  it("gives items in one of two forms, whole", async (scene) => {
    const item = await scene.offer({ priority: 3 });
    const { claimed, candidates } = await scene.queue.pull({
      lease: "lease-1",
      limit: 10,
      definitions: [definition],
      format: recordFormat,
      visibilityMs,
    });
    if (candidates.length > 0) deepStrictEqual([candidates, claimed], [[item], []]);
    else
      deepStrictEqual(
        claimed.map(({ row }) => [row.run, row.owner, row.priority]),
        [[item.run, "lease-1", 3]],
      );
  });

  it("gives the highest priority first", async (scene) => {
    const items: QueueItem[] = [];
    for (const priority of [1, 5, -3, 4, 0]) items.push(await scene.offer({ priority }));
    const expected = items.sort((a, b) => b.priority - a.priority).map(({ run }) => run);
    deepStrictEqual(await scene.pull({ limit: 2 }), expected.slice(0, 2));
    deepStrictEqual(await scene.pull(), expected.slice(2));
  });

  it("gives what was offered first, of equal priority", async (scene) => {
    const runs: Run[] = [];
    for (let number = 0; number < 5; number += 1) {
      runs.push((await scene.offer()).run);
      await scene.elapse(5);
    }
    deepStrictEqual(await scene.pull({ limit: 3 }), runs.slice(0, 3));
    deepStrictEqual(await scene.pull(), runs.slice(3));
  });

  it("gives no more than the limit", async (scene) => {
    for (let number = 0; number < 10; number += 1) await scene.offer();
    deepStrictEqual(
      [
        (await scene.pull({ limit: 4 })).length,
        (await scene.pull({ limit: 4 })).length,
        (await scene.pull({ limit: 4 })).length,
      ],
      [4, 4, 2],
    );
  });

  it("gives an item when it is due, and not before", async (scene) => {
    const { run } = await scene.offer({ delayMs: 1_000 });
    deepStrictEqual(await scene.pull(), []);
    await scene.elapse(within);
    deepStrictEqual(await scene.pull(), []);
    await scene.elapse(beyond - within);
    deepStrictEqual(await scene.pull(), [run]);
  });

  it("is not held up by an urgent item that is not due", async (scene) => {
    await scene.offer({ priority: 100, delayMs: 60_000 });
    const { run } = await scene.offer();
    deepStrictEqual(await scene.pull({ limit: 1 }), [run]);
  });

  it("does not give an item twice in one pull, however often it was offered", async (scene) => {
    const item = await scene.offer();
    await scene.queue.push([item, item]);
    await scene.queue.push([item]);
    deepStrictEqual(await scene.pull(), [item.run]);
  });

  it("does not give an item to two pullers at once", async (scene) => {
    const offered: Run[] = [];
    for (let number = 0; number < 40; number += 1) offered.push((await scene.offer()).run);
    const pulled = await Promise.all(
      Array.from({ length: 10 }, (_, number) => scene.pull({ lease: `lease-${number}`, limit: 4 })),
    );
    const runs = [...pulled.flat(), ...(await scene.pull())];
    strictEqual(new Set(runs).size, runs.length);
    deepStrictEqual(
      [...runs].sort((a, b) => a - b),
      offered,
    );
  });

  it("drains 300 items in pulls of 50", async (scene) => {
    const offered = new Set<Run>();
    for (let number = 0; number < 300; number += 1) offered.add((await scene.offer()).run);
    for (let pull = 0; pull < 6; pull += 1) for (const run of await scene.pull({ limit: 50 })) ok(offered.delete(run));
    strictEqual(offered.size, 0);
  });

  it("takes an empty offer and an empty removal", async (scene) => {
    await scene.queue.push([]);
    await scene.queue.remove([]);
    deepStrictEqual(await scene.pull(), []);
  });
}

function candidateCases(it: Declare): void {
  it("hides a candidate, and gives it again where nobody has removed it", async (scene) => {
    if (!(await scene.givesCandidates())) return;
    const { run } = await scene.offer();
    deepStrictEqual(await scene.pull(), [run]);
    deepStrictEqual(await scene.pull(), []);
    await scene.elapse(within);
    deepStrictEqual(await scene.pull(), []);
    await scene.elapse(beyond - within);
    deepStrictEqual(await scene.pull(), [run]);
  });

  it("forgets a candidate that is removed", async (scene) => {
    if (!(await scene.givesCandidates())) return;
    const item = await scene.offer();
    await scene.pull();
    await scene.queue.remove([item]);
    await scene.elapse(beyond);
    deepStrictEqual(await scene.pull(), []);
  });

  it("forgets an item that is removed before it was pulled", async (scene) => {
    if (!(await scene.givesCandidates())) return;
    const item = await scene.offer();
    const { run } = await scene.offer();
    await scene.queue.remove([item]);
    deepStrictEqual(await scene.pull(), [run]);
  });

  it("forgets what is not there without a word", async (scene) => {
    await scene.queue.remove([{ run: 999_999, priority: 0, dueAt: 0 }]);
    const { run } = await scene.offer();
    deepStrictEqual(await scene.pull(), [run]);
  });

  it("takes an item that was removed when it is offered again", async (scene) => {
    if (!(await scene.givesCandidates())) return;
    const item = await scene.offer();
    await scene.pull();
    await scene.queue.remove([item]);
    await scene.queue.push([item]);
    deepStrictEqual(await scene.pull(), [item.run]);
  });

  it("hides each candidate for as long as its own pull says", async (scene) => {
    if (!(await scene.givesCandidates())) return;
    const [a, b] = [await scene.offer({ priority: 1 }), await scene.offer()];
    const request = { lease: "lease", limit: 1, definitions: [definition], format: recordFormat };
    await scene.queue.pull({ ...request, visibilityMs: 1_000 });
    await scene.queue.pull({ ...request, visibilityMs: 60_000 });
    await scene.elapse(beyond);
    deepStrictEqual(await scene.pull(), [a.run]);
    await scene.queue.remove([a, b]);
  });
}

function hintCases(it: Declare): void {
  it("hints soon that something was offered", async (scene) => {
    let hints = 0;
    const stop = scene.queue.hints(() => {
      hints += 1;
    });
    await scene.offer();
    await scene.soon(() => hints > 0);
    stop();
  });

  it("hints to every listener, and to none whose listening has ended", async (scene) => {
    const hints = { first: 0, second: 0 };
    const stopFirst = scene.queue.hints(() => {
      hints.first += 1;
    });
    const stopSecond = scene.queue.hints(() => {
      hints.second += 1;
    });
    stopFirst();
    await scene.offer();
    await scene.soon(() => hints.second > 0);
    strictEqual(hints.first, 0);
    stopSecond();
  });

  it("hints to the others where a listener throws", async (scene) => {
    let hints = 0;
    const stopThrowing = scene.queue.hints(() => {
      throw new Error("a listener of the suite that throws");
    });
    const stop = scene.queue.hints(() => {
      hints += 1;
    });
    await scene.offer();
    await scene.soon(() => hints > 0);
    stopThrowing();
    stop();
  });
}

function processCases(it: Declare): void {
  it("gives in one process what another has offered", async (scene) => {
    const provider = await scene.open.again?.();
    ok(provider?.queue, "the harness gives another provider");
    const { run } = await scene.offer();
    deepStrictEqual(await scene.pull({}, provider.queue), [run]);
    deepStrictEqual(await scene.pull(), []);
  });
}
