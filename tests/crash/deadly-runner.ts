// A process whose workflows kill it.
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { optionsOf, serve } from "../processes/support/serve.ts";
import { deadlyOf } from "./deadly.ts";
import { die } from "./dying-provider.ts";
import { quiet } from "./quiet.ts";

const { file } = optionsOf<{ readonly file: string }>();
const { judged } = deadlyOf(die);
const host = new WorkflowHost({ providers: [sqlite(file)], workflows: Object.values(judged), log: quiet() });

serve({ start: () => host.start() });
