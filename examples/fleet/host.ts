// One host of the fleet: it runs whatever the database holds, until it is killed or told to stop.
import { WorkflowHost } from "@wfe/core";
import { postgres } from "@wfe/postgres";
import { parcel } from "./parcel.ts";

const [url = "", schema = "", lease = "10s"] = process.argv.slice(2);
const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const host = new WorkflowHost({
  providers: [postgres(url, { schema })],
  workflows: [parcel],
  name: process.env["FLEET_HOST"] ?? "nobody",
  // So few at once that nobody takes them all.
  concurrency: 10,
  lease: lease as `${number}s`,
  log: quiet,
});
process.once("SIGTERM", () => void host.stop());
await host.start();
