// Three host processes on one PostgreSQL carry parcels. One is killed, another is frozen, and every parcel arrives.
//
//   npm run demo:fleet                                   (starts a PostgreSQL of its own)
//   npm run demo:fleet -- postgres://user@localhost/app  (uses a schema of that database)
import { spawn, type ChildProcess } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { WorkflowHost } from "@wfe/core";
import { postgres } from "@wfe/postgres";
import { startPostgres } from "../../tests/services/postgres.ts";
import { Board } from "./board.ts";
import { parcel, steps } from "./parcel.ts";

const names = ["ann", "bob", "cyd"] as const;
const parcels = 24;
const schema = "wfe_fleet";
const leaseMs = 3_000;

const given = process.argv[2] ?? process.env["WFE_POSTGRES_URL"];
const server = given === undefined ? await startPostgres() : undefined;
const url = given ?? server?.url ?? "";
const say = (text: string): void => console.log(`\n== ${text}`);

// This process is a client: it starts, looks and listens, and runs no step.
const client = new WorkflowHost({ providers: [postgres(url, { schema })], workflows: [parcel] });
const board = new Board(names);
client.on("step.started", (event) => board.began(event));
await client.countWorkflows();

say(`Three hosts come up on ${server === undefined ? url : "a PostgreSQL of their own"}.`);
const hosts = new Map(names.map((name) => [name, startHost(name)]));
const run = Date.now().toString(36);
const handles = await client.startWorkflows(
  Array.from({ length: parcels }, (_, number) => ({
    definition: parcel,
    data: { number },
    options: { id: `parcel-${run}-${number}` },
  })),
);
// A host that dies may not live to tell of its last step: what is on record counts.
const arriving = handles.map(async (handle) => {
  const result = await handle.result({ timeout: "2m" });
  board.arrived(handle.id);
  return result;
});
const showing = setInterval(() => board.show(), 1_000);

await until("every host carries parcels", () => names.every((name) => board.of(name).length > 0));
await until("bob carries some", () => board.of("bob").length > 1);
say(`kill -9 bob (process ${hosts.get("bob")?.pid}). Its process is proven gone: others need not wait for its lease.`);
board.show();
hosts.get("bob")?.kill("SIGKILL");
board.mark("bob", "killed");
await until("others carry what bob carried", () => board.of("bob").length === 0);
board.show();

await until("cyd carries some", () => board.of("cyd").length > 1);
say(`cyd is frozen (SIGSTOP), for longer than its lease of ${leaseMs / 1_000} s. Nobody can tell until that is over.`);
board.show();
hosts.get("cyd")?.kill("SIGSTOP");
board.mark("cyd", "frozen");
await pause(leaseMs + 2_000);
board.show();
say("cyd is thawed. It finds that its lease is dead, lets go of what it had, and begins anew.");
hosts.get("cyd")?.kill("SIGCONT");
board.mark("cyd", undefined);

const results = await Promise.all(arriving);
clearInterval(showing);
board.show();

const arrived = results.filter((each) => steps.every((step) => names.includes(each[step] as never)));
let twice = 0;
for (const { id } of handles) {
  const { items } = await client.history(id, { limit: 1_000 });
  twice += items.filter(({ kind }) => kind === "step-completed").length - steps.length;
}
say(`${arrived.length} of ${parcels} parcels have arrived, and ${twice} results were recorded twice.`);
for (const name of names) {
  const done = results.flatMap((each) => steps.filter((step) => each[step] === name));
  console.log(`   ${name} did ${done.length} steps that count`);
}

for (const child of hosts.values()) child.kill("SIGTERM");
await Promise.all([...hosts.values()].map(exit));
await client.stop();
await server?.stop();
if (arrived.length < parcels || twice > 0) process.exitCode = 1;

function startHost(name: string): ChildProcess {
  const script = fileURLToPath(new URL("host.ts", import.meta.url));
  return spawn(process.execPath, [...process.execArgv, script, url, schema, `${leaseMs / 1_000}s`], {
    stdio: "inherit",
    env: { ...process.env, FLEET_HOST: name },
  });
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`it did not come about in a minute that ${what}`);
    await pause(20);
  }
}

async function exit(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once("exit", resolve));
}
