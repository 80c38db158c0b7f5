// One process of the restaurant: it runs whatever the database holds, until it is killed or told to stop.
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { pizzaOrder, tour } from "./order.ts";

const host = new WorkflowHost({ providers: [sqlite(process.argv[2] ?? "pizza.db")], workflows: [pizzaOrder, tour] });
process.once("SIGTERM", () => void host.stop());
await host.start();
console.log(`   (process ${process.pid} is up)`);
