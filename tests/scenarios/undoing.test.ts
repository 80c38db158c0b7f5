import { retry, workflow, type StepContext, type WorkflowDefinition, type WorkflowHost } from "@wfe/core";
import { describe, it } from "vitest";
import { Crew } from "../support/crew.ts";
import { historyOf } from "../support/history.ts";
import { randomFrom, type Random } from "../support/random.ts";
import { stores, type StoreKind } from "../support/stores.ts";
import { World } from "../support/world.ts";

/** Random workflows on each store, and how many of them share their hosts. */
const shares: Record<string, { readonly worlds: number; readonly workflows: number }> = {
  memory: { worlds: 16, workflows: 25 },
  sqlite: { worlds: 6, workflows: 20 },
};

/** One world that is to be played again: the seed that a failure printed. */
const onlySeed = process.env["WFE_SEED"];

describe.each(stores)("undoing on $name", (store) => {
  const { worlds, workflows } = shares[store.name] ?? { worlds: 5, workflows: 20 };

  it(`leaves nothing out and does nothing twice, in ${worlds * workflows} random workflows whose hosts die, stop and lose the store`, async () => {
    if (onlySeed !== undefined) return play(store, Number(onlySeed), workflows);
    for (let seed = 1; seed <= worlds; seed += 1) await play(store, seed, workflows);
  }, 600_000);
});

/**
 * What has happened outside, by idempotency key. A body that a dead host ran and another one ran again is one thing that was done:
 * the outside world knows it by its key.
 */
class Ledger {
  /** Done things, by the workflow they were done for. */
  readonly done: Map<string, Set<string>> = new Map();
  /** The keys under which each of them was undone. */
  readonly undone: Map<string, Set<string>> = new Map();

  do(workflowId: string, key: string): void {
    entry(this.done, workflowId).add(key);
  }

  undo(key: string, by: string): void {
    entry(this.undone, key).add(by);
  }
}

function entry(map: Map<string, Set<string>>, key: string): Set<string> {
  const found = map.get(key) ?? new Set<string>();
  map.set(key, found);
  return found;
}

async function play(store: StoreKind, seed: number, count: number): Promise<void> {
  const random = randomFrom(seed);
  const ledger = new Ledger();
  const definitions = Array.from({ length: 5 }, (_, index) => randomDefinition(random, ledger, `w-${index}`));
  await using world = new World(store);
  const client = world.host(definitions);
  const crew = new Crew(world, random, definitions);
  const started: string[] = [];
  for (let act = 0; act < count * 6; act += 1) {
    const dice = random.below(20);
    if (dice < 4 && started.length < count) started.push(await start(client, random.pick(definitions)));
    else if (dice === 4 && started.length > 0)
      await client.terminateWorkflow(random.pick(started), { compensate: true });
    else await crew.act();
  }
  while (started.length < count) started.push(await start(client, random.pick(definitions)));
  await crew.recover();
  for (let tries = 0; tries < 60 && (await unfinished(client)) > 0; tries += 1) await world.clock.advance("12s");
  for (const id of started) await check(client, ledger, id, `seed ${seed}, workflow ${id}`);
}

async function start(client: WorkflowHost, definition: WorkflowDefinition): Promise<string> {
  return (await client.startWorkflow(definition, {})).id;
}

function unfinished(client: WorkflowHost): Promise<number> {
  return client.countWorkflows({ status: ["runnable", "waiting", "suspended"] });
}

/** All of these workflows fail, or are terminated with compensation: in the end nothing of what was done may be left. */
async function check(client: WorkflowHost, ledger: Ledger, id: string, what: string): Promise<void> {
  const details = await client.getWorkflow(id);
  if (details?.status !== "failed" && details?.status !== "terminated")
    throw new Error(`${what} is ${details?.status}`);
  for (const key of ledger.done.get(id) ?? []) {
    const times = ledger.undone.get(key)?.size ?? 0;
    if (times !== 1) throw new Error(`${what}: what was done under ${key} was undone ${times} times`);
  }
  const undone = (await historyOf(client, id))
    .filter(({ kind }) => kind === "undo-completed")
    .map(({ executionId }) => executionId);
  if (new Set(undone).size !== undone.length)
    throw new Error(`${what}: its history tells of something that was undone twice`);
}

/** A workflow of steps that are undoable, in every way in which scopes can stand in each other. It fails at its end. */
function randomDefinition(random: Random, ledger: Ledger, id: string): WorkflowDefinition {
  const parts = Array.from({ length: 2 + random.below(3) }, () => randomPart(random, ledger, 3));
  return inOrder(workflow(), parts).fail("the end").build(id, 1);
}

// The chains are made at run time: there is nothing that their types could tell.
type Builder = any;
type Part = (builder: Builder) => Builder;

function inOrder(builder: Builder, parts: readonly Part[]): Builder {
  return parts.reduce((chain, part) => part(chain), builder);
}

function randomPart(random: Random, ledger: Ledger, depth: number): Part {
  const inner = (): Part => randomPart(random, ledger, depth - 1);
  switch (depth === 0 ? 0 : random.below(9)) {
    case 3: {
      const parts = Array.from({ length: 1 + random.below(3) }, inner);
      return (b) => inOrder(b, parts);
    }
    case 4: {
      const branches = Array.from({ length: 2 + random.below(2) }, inner);
      const onFailure = random.pick(["cancel", "wait"] as const);
      return (b) => b.parallel((p: Builder) => branches.reduce((all, branch) => all.branch(branch), p), { onFailure });
    }
    case 5: {
      const [items, concurrency, body] = [random.below(4), random.pick([1, 2, 16]), inner()];
      return (b) => b.forEach(() => Array.from({ length: items }, (_, index) => index), body, { concurrency });
    }
    case 6: {
      const [body, last] = [inner(), inner()];
      const onError = random.pick([
        "ignore",
        "fail",
        retry({ interval: "1s", maxRetries: 5, then: "ignore" }),
      ] as const);
      return (b) => b.saga((s: Builder) => inOrder(s, [body, last])).onError(onError);
    }
    case 7:
      return (b) => b.delay(random.pick([0, 100, 2_000]));
    case 8: {
      const body = inner();
      return (b) => b.ifDo(() => true, body);
    }
    default:
      return randomStep(random, ledger);
  }
}

function randomStep(random: Random, ledger: Ledger): Part {
  const { risk, asynchronous, onError, undoAsync } = {
    risk: random.pick([0, 0, 0, 20, 60]),
    asynchronous: random.chance(0.4),
    onError: random.pick(["fail", "fail", "compensate", retry({ interval: 100, maxRetries: 2 })] as const),
    undoAsync: random.chance(0.5),
  };
  const run = async (_: unknown, ctx: StepContext): Promise<void> => {
    ledger.do(ctx.workflow.id, ctx.idempotencyKey);
    if (asynchronous) await new Promise((resolve) => setImmediate(resolve));
    // By its key, so that the same execution has the same luck on every host, and the next attempt another.
    if (hashOf(`${ctx.idempotencyKey} ${ctx.step.attempt}`) % 100 < risk) throw new Error("bad luck");
  };
  const undo = async (_: unknown, ctx: StepContext): Promise<void> => {
    ledger.undo(ctx.undoing.idempotencyKey, ctx.idempotencyKey);
    if (undoAsync) await new Promise((resolve) => setImmediate(resolve));
  };
  return (b) => b.then(run).compensateWith(undo).onError(onError);
}

function hashOf(text: string): number {
  let hash = 0;
  for (const letter of text) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) ?? 0)) >>> 0;
  return hash >>> 3;
}
