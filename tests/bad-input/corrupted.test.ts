import { event, workflow, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { expect, it, vi } from "vitest";
import { randomOf, seedOfThisRun } from "../crash/random.ts";
import { StoreFile } from "../processes/support/store-file.ts";
import { until } from "../processes/support/until.ts";

// Processes take their time to come up, on a machine that has much to do.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const go = event<{ n: number }>("go");

/** Waits in a loop, so that there is a journal, a state worth reading, and something to come. */
const patient = workflow<{ rounds: number; sum: number; note: string }>()
  .whileDo(
    (data) => data.rounds > 0,
    (b) =>
      b
        .then((data: { rounds: number }) => data.rounds)
        .output((data, rounds) => ({ rounds: rounds - 1, sum: data.sum + rounds })),
  )
  .waitFor(go, (_, at) => at.workflow.id)
  .as("event")
  .then(({ sum, event: { n } }: { sum: number; event: { n: number } }) => sum + n)
  .as("total")
  .build("patient", 1);

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

function host(store: StoreFile, log = silent): WorkflowHost {
  return new WorkflowHost({ providers: [sqlite(store.file)], workflows: [patient], log });
}

/** Workflows that wait, and no host that runs. */
async function parked(store: StoreFile, count: number, rounds = 5): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, n) => `patient-${n}`);
  await using first = host(store);
  await first.start();
  await first.startWorkflows(
    ids.map((id) => ({ definition: patient, data: { rounds, sum: 0, note: `the note of ${id}` }, options: { id } })),
  );
  await until({ what: "all wait" }, async () => (await first.countWorkflows({ status: "waiting" })) === count);
  await first.stop();
  return ids;
}

type Damage = (store: StoreFile, id: string) => void;
const run = "(SELECT run FROM wfe_workflows WHERE id = ?)";
const damages: readonly [string, Damage][] = [
  [
    "a turn that is cut off",
    (store, id) =>
      store.change(
        `UPDATE wfe_turns SET entries = substr(entries, 1, length(entries) / 2) WHERE run = ${run} AND seq = 2`,
        id,
      ),
  ],
  [
    "a turn that is empty",
    (store, id) => store.change(`UPDATE wfe_turns SET entries = '' WHERE run = ${run} AND seq = 1`, id),
  ],
  [
    "a turn of something else",
    (store, id) =>
      store.change(`UPDATE wfe_turns SET entries = '{"hello":"world"}' WHERE run = ${run} AND seq = 1`, id),
  ],
  [
    "a turn of numbers",
    (store, id) => store.change(`UPDATE wfe_turns SET entries = '[1,2,3]' WHERE run = ${run} AND seq = 1`, id),
  ],
  ["a turn that is not there", (store, id) => store.change(`DELETE FROM wfe_turns WHERE run = ${run} AND seq = 2`, id)],
  ["no journal at all", (store, id) => store.change(`DELETE FROM wfe_turns WHERE run = ${run}`, id)],
  ["a head that is behind", (store, id) => store.change(`UPDATE wfe_heads SET seq = seq - 1 WHERE run = ${run}`, id)],
  [
    "an entry of a kind that does not exist",
    (store, id) =>
      store.change(
        `UPDATE wfe_turns SET entries = replace(entries, 'step-completed', 'step-compleded') WHERE run = ${run}`,
        id,
      ),
  ],
  [
    "bytes that are no text",
    (store, id) => store.change(`UPDATE wfe_turns SET entries = x'fffe00ff' WHERE run = ${run} AND seq = 1`, id),
  ],
];

it.each(damages)("puts a workflow with %s aside, says why, and lets the others go on", async (_, damage) => {
  using store = new StoreFile();
  const ids = await parked(store, 6);
  damage(store, "patient-2");

  await using next = host(store);
  await next.start();
  for (const [n, id] of ids.entries()) await next.publishEvent(go, id, { n });
  for (const [n, id] of ids.entries()) {
    if (id === "patient-2") continue;
    expect(await next.handle(id).result({ timeout: "10s" })).toMatchObject({ sum: 15, total: 15 + n });
  }

  const [listed] = await until({ what: "it is put aside" }, async () => {
    const { items } = await next.listWorkflows({ status: "suspended" });
    return items.length > 0 ? items : undefined;
  });
  expect(listed).toMatchObject({ id: "patient-2", status: "suspended" });
  expect(listed?.error).toMatchObject({ code: "CORRUPTED_RECORD" });
  expect(listed?.error?.message).toMatch(/cannot be read|damaged|hole|corrupt|backup/i);
  // It stays where it is, and nobody takes it again and again.
  const claims = (): unknown => store.query("SELECT claim, due_at FROM wfe_workflows WHERE id = 'patient-2'");
  const before = claims();
  await (await next.startWorkflow(patient, { rounds: 1, sum: 0, note: "" }, { id: "later" })).history();
  await next.publishEvent(go, "later", { n: 1 });
  await next.handle("later").result({ timeout: "10s" });
  expect(claims()).toEqual(before);
});

it("goes on with a workflow whose row shows nonsense: its journal has what counts", async () => {
  using store = new StoreFile();
  const ids = await parked(store, 4);
  store.change(`UPDATE wfe_workflows SET tags = '["', waiting_for = 'garbage' WHERE id = ?`, "patient-1");
  store.change(`UPDATE wfe_workflows SET tags = '5', waiting_for = x'00ff' WHERE id = ?`, "patient-2");
  await using next = host(store);
  await next.start();
  for (const id of ids) await next.publishEvent(go, id, { n: 1 });
  for (const id of ids) expect(await next.handle(id).result({ timeout: "10s" })).toMatchObject({ total: 16 });
  expect((await next.listWorkflows({ status: "completed" })).items).toHaveLength(4);
});

it("lists and finds the others beside one whose error cannot be read", async () => {
  using store = new StoreFile();
  await parked(store, 3);
  await using next = host(store);
  await next.start();
  await (await next.terminateWorkflow("patient-1", { reason: "enough" })).applied();
  for (const text of ["garbage", "5", '{"name":1}'])
    for (const id of ["patient-1", "patient-2"]) {
      const insert = "INSERT INTO wfe_ends (run, error) SELECT run, ? FROM wfe_workflows WHERE id = ?";
      store.change(`${insert} ON CONFLICT DO UPDATE SET error = excluded.error`, text, id);
      expect((await next.listWorkflows()).items).toHaveLength(3);
      expect(await next.getWorkflow("patient-0")).toMatchObject({ status: "waiting" });
    }
});

it("tells whoever asks for a damaged workflow what is wrong with it", async () => {
  using store = new StoreFile();
  await parked(store, 2);
  store.change(`UPDATE wfe_turns SET entries = '{"' WHERE run = ${run} AND seq = 1`, "patient-1");
  await using client = host(store);
  for (const ask of [
    () => client.getWorkflow("patient-1"),
    () => client.history("patient-1"),
    () => client.stateAt("patient-1", 2),
  ]) {
    await expect(ask()).rejects.toMatchObject({ code: "CORRUPTED_RECORD" });
  }
  expect(await client.getWorkflow("patient-0")).toMatchObject({ status: "waiting" });
  expect((await client.listWorkflows()).items).toHaveLength(2);
});

it("goes on from a turn before the damage, as a fork", async () => {
  using store = new StoreFile();
  await parked(store, 1);
  store.change(`UPDATE wfe_turns SET entries = '{' WHERE run = ${run} AND seq = 4`, "patient-0");
  await using client = host(store);
  await client.start();
  const fork = await client.forkWorkflow("patient-0", { at: 3, id: "fork" });
  await client.publishEvent(go, "fork", { n: 1 });
  expect(await fork.result({ timeout: "10s" })).toMatchObject({ sum: 15, total: 16 });
});

it("puts a workflow with a damaged checkpoint aside", async () => {
  using store = new StoreFile();
  await parked(store, 2, 200);
  expect(store.query("SELECT run FROM wfe_checkpoints")).toHaveLength(2);
  store.change(`UPDATE wfe_checkpoints SET state = substr(state, 5) WHERE run = ${run}`, "patient-1");
  await using next = host(store);
  await next.start();
  await next.publishEvent(go, "patient-0", { n: 0 });
  await next.publishEvent(go, "patient-1", { n: 0 });
  expect(await next.handle("patient-0").result({ timeout: "10s" })).toMatchObject({ total: 20_100 });
  await until({ what: "it is put aside" }, async () => (await next.countWorkflows({ status: "suspended" })) === 1);
});

it("puts a workflow aside whose start cannot be read", async () => {
  using store = new StoreFile();
  await using client = host(store);
  await client.startWorkflow(patient, { rounds: 0, sum: 0, note: "" }, { id: "good" });
  await client.startWorkflow(patient, { rounds: 0, sum: 0, note: "" }, { id: "bad" });
  store.change(`UPDATE wfe_starts SET text = 'x' WHERE run = ${run}`, "bad");
  await client.start();
  await client.publishEvent(go, "good", { n: 3 });
  expect(await client.handle("good").result({ timeout: "10s" })).toMatchObject({ total: 3 });
  await until({ what: "it is put aside" }, async () => (await client.countWorkflows({ status: "suspended" })) === 1);
});

it("does not stumble over a call or an event that cannot be read", async () => {
  using store = new StoreFile();
  await parked(store, 3);
  await using client = host(store);
  await client.setData("patient-1", { note: "new" });
  store.change(`UPDATE wfe_deliveries SET body = '{' WHERE run = ${run}`, "patient-1");
  await client.publishEvent(go, "patient-2", { n: 2 });
  store.change("UPDATE wfe_events SET payload = '{'");
  await client.start();
  await client.publishEvent(go, "patient-0", { n: 0 });

  expect(await client.handle("patient-0").result({ timeout: "10s" })).toMatchObject({ total: 15 });
  await until({ what: "both are put aside" }, async () => (await client.countWorkflows({ status: "suspended" })) === 2);
  const { items } = await client.listWorkflows({ status: "suspended" });
  for (const { error } of items) expect(error).toMatchObject({ code: "CORRUPTED_RECORD" });
});

it("survives flipped bytes anywhere in the rows of some workflows: those alone are put aside, or unharmed", async () => {
  using store = new StoreFile();
  const seed = seedOfThisRun();
  const random = randomOf(seed);
  const ids = await parked(store, 60);
  const hit = new Set<string>();
  for (const id of ids.filter(() => random() < 0.5)) {
    hit.add(id);
    flipOne(store, id, random);
  }
  console.log(
    `flipped bytes in ${hit.size} of ${ids.length} workflows, seed ${seed} (repeat it with WFE_SEED=${seed})`,
  );

  await using next = host(store);
  await next.start();
  for (const [n, id] of ids.entries()) await next.publishEvent(go, id, { n });
  for (const [n, id] of ids.entries()) {
    if (!hit.has(id)) expect(await next.handle(id).result({ timeout: "20s" })).toMatchObject({ total: 15 + n });
  }
  const unfinished = async (): Promise<number> => next.countWorkflows({ status: ["runnable", "waiting"] });
  // A flipped byte may lie in a key or a number: then it waits for something else, as its journal says.
  await until({ what: "nothing is left to run" }, async () => {
    const { items } = await next.listWorkflows({ status: "runnable", limit: 1 });
    return items.length === 0;
  });
  expect(await unfinished()).toBeLessThanOrEqual(hit.size);
  const health = await next.health();
  expect(health).toMatchObject({ ok: true, inHand: 0 });
  const { items } = await next.listWorkflows({ status: "suspended", limit: 1000 });
  for (const { id, error } of items) {
    expect(hit).toContain(id);
    expect(error?.message).not.toBe("");
    expect(error).toMatchObject({ code: expect.stringMatching(/^[A-Z_]+$/) as string });
  }
});

/** Changes one character of a turn, or of the start, past all checks. */
function flipOne(store: StoreFile, id: string, random: () => number): void {
  const turns = store.query<{ place: number; entries: string }>(
    `SELECT place, entries FROM wfe_turns WHERE run = ${run}`,
    id,
  );
  const { place, entries } = turns[Math.floor(random() * turns.length)]!;
  const at = Math.floor(random() * entries.length);
  const flipped = String.fromCharCode((entries.codePointAt(at) ?? 0) ^ (1 << Math.floor(random() * 7)));
  store.change(
    "UPDATE wfe_turns SET entries = ? WHERE place = ?",
    entries.slice(0, at) + flipped + entries.slice(at + 1),
    place,
  );
}
