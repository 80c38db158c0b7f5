// An order goes through every operator. Half-way, the process that runs it is killed with SIGKILL; another one finishes it.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { delivered, pickedUp, pizzaOrder, rated, tipped, tour, type Order } from "./order.ts";

const folder = mkdtempSync(join(tmpdir(), "wfe-pizza-"));
const file = join(folder, "restaurant.db");
const diary = join(folder, "diary.jsonl");
const say = (text: string): void => console.log(`\n== ${text}`);

// This process is a client: it starts, publishes and reads, and runs no step.
const client = new WorkflowHost({ providers: [sqlite(file)], workflows: [pizzaOrder, tour] });
const order: Order = {
  orderId: "o-1",
  customer: "Ann",
  payment: "card",
  amount: 42,
  pizzas: [
    { name: "Margherita", minutes: 8 },
    { name: "Funghi", minutes: 9 },
    { name: "Diavola", minutes: 9 },
  ],
};
const handle = await client.startWorkflow(pizzaOrder, order, { id: "order-o-1" });
say(`The order is in ${file}. A process starts to work on it.`);

let worker = startWorker();
await until("the courier is awaited, the other branch has run and the oven is being cleaned", async () => {
  const now = await client.getWorkflow(handle.id);
  const done = new Set(now?.steps.filter((step) => step.status === "completed").map((step) => step.name));
  return (
    done.has("Fold napkins") &&
    now?.waitingFor.some((wait) => wait.event === pickedUp.name) === true &&
    read().some((line) => line.step === "Clean oven")
  );
});

say(`kill -9 ${worker.pid}: a branch is done, the courier is awaited, the oven is half clean.`);
worker.kill("SIGKILL");
await exit(worker);
const recorded = new Set<string>();
for (let cursor: string | undefined, page = 0; page === 0 || cursor !== undefined; page++) {
  const history = await client.history(handle.id, cursor === undefined ? {} : { cursor });
  for (const item of history.items)
    if (item.kind === "step-completed" && item.executionId !== undefined) recorded.add(item.executionId);
  cursor = history.cursor;
}
const before = read().length;
console.log(`   ${recorded.size} results are on record.`);

say("A new process takes over from the file.");
worker = startWorker();
await until("the oven is cleaned again", async () =>
  read()
    .slice(before)
    .some((line) => line.step === "Clean oven"),
);
say("The courier comes, and the customer is happy.");
await client.publishEvent(pickedUp, "o-1", { courier: "Bo" });
await client.publishEvent(delivered, "o-1", { at: "the door" });
await client.publishEvents([
  { event: rated, key: "o-1", payload: { stars: 5 } },
  { event: tipped, key: "o-1", payload: { amount: 4 } },
]);
const result = await handle.result({ timeout: "30s" });

say("Done. The final data:");
console.log(result);
const again = read()
  .slice(before)
  .filter((line) => recorded.has(line.executionId));
const stepsDone = (await client.getWorkflow(handle.id))?.steps.filter((step) => step.status === "completed").length;
say(
  `${stepsDone} steps completed. Of the ${recorded.size} results recorded before the kill, ${again.length} ran again.`,
);

worker.kill("SIGTERM");
await exit(worker);
await client.stop();
rmSync(folder, { recursive: true });
if (again.length > 0) process.exitCode = 1;

function startWorker(): ChildProcess {
  const script = fileURLToPath(new URL("worker.ts", import.meta.url));
  return spawn(process.execPath, [...process.execArgv, script, file], {
    stdio: "inherit",
    env: { ...process.env, PIZZA_DIARY: diary },
  });
}

function read(): { readonly step: string; readonly executionId: string; readonly attempt: number }[] {
  try {
    return readFileSync(diary, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`it did not come about in 30 s that ${what}`);
    await pause(50);
  }
}

async function exit(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
}
