// The smallest workflow: two steps and a pause, durable on one SQLite file. Run it, stop it with Ctrl-C during the pause, run it again.
import { workflow, WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";

const hello = workflow<{ name: string }>()
  .then((data) => `Hello, ${data.name}!`)
  .as("greeting")
  .thenFn((data) => console.log(data.greeting))
  .delay("2s")
  .thenFn((data) => console.log(`Good-bye, ${data.name}.`))
  .build("hello", 1);

await using host = new WorkflowHost({ providers: [sqlite(process.argv[2] ?? "hello.db")], workflows: [hello] });
await host.start();
const handle = await host.startWorkflow(hello, { name: "world" }, { id: "hello-world" });
console.log(handle.created ? "started" : "that one was there already, and goes on where it was");
console.log(await handle.result());
