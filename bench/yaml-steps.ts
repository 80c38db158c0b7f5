import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { WorkflowHost } from "@wfe/core";
import { sqlite } from "@wfe/sqlite";
import { parseWorkflow } from "@wfe/yaml";
import { inFolder, median, row, timed } from "./measure.ts";

const rounds = Number(process.env["WFE_ROUNDS"] ?? 40);

/**
 * What steps of YAML cost over the processes they start: three shell commands, and a Deno script, each beside the same programs
 * started bare, in turns. A median of the differences between neighbours: what else the machine does falls on both.
 */
export function yamlSteps(): Promise<void> {
  return inFolder(async (folder) => {
    const file = join(folder, "w.yaml");
    const commands = ["echo one", "echo two", "echo three"];
    const shell = parseWorkflow(
      `workflow:\n  id: shell\n  version: 1\n  steps:\n${commands.map((run, at) => `    - { name: s${at}, run: ${run} }\n`).join("")}`,
      {},
      { file },
    );
    const script = 'console.log("hello")';
    let version = 1;
    const deno = parseWorkflow(denoText(script, version), {}, { file });
    writeFileSync(join(folder, "bare.ts"), script);
    const denoBinary = join(dirname(createRequire(import.meta.url).resolve("deno/package.json")), "deno");

    await using host = new WorkflowHost({ providers: [sqlite(join(folder, "bench.db"))], workflows: [shell, deno] });
    await host.start();
    const run = async (definition: typeof shell): Promise<void> => {
      await (await host.startWorkflow(definition, {})).result();
    };
    const bareShell = async (): Promise<void> => {
      for (const command of commands) await bare("sh", ["-c", command], folder);
    };
    const bareDeno = (): Promise<void> => bare(denoBinary, ["run", join(folder, "bare.ts")], folder);

    row("", "bare ms", "WFE ms", "over it");
    await compare("three shell steps", bareShell, () => run(shell));
    await compare("a Deno step, again and again", bareDeno, () => run(deno));
    // Each load has its own spare processes, and none before its second step.
    await compare("the first Deno step of a load", bareDeno, async () => {
      const fresh = parseWorkflow(denoText(script, ++version), {}, { file });
      host.register(fresh);
      await run(fresh);
    });
  });
}

function denoText(script: string, version: number): string {
  return `workflow:\n  id: deno\n  version: ${version}\n  steps:\n    - { name: d, type: deno, config: { script: '${script}' } }\n`;
}

async function compare(label: string, floor: () => Promise<void>, work: () => Promise<void>): Promise<void> {
  const floors: number[] = [];
  const times: number[] = [];
  for (let round = -3; round < rounds; round++) {
    const [first, second] = [await timed(floor), await timed(work)];
    if (round < 0) continue;
    floors.push(first);
    times.push(second);
  }
  const over = times.map((time, at) => time - (floors[at] ?? 0));
  row(label, median(floors).toFixed(1), median(times).toFixed(1), median(over).toFixed(1));
}

function bare(command: string, args: readonly string[], cwd: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.resume();
    child.stderr.resume();
    child.once("error", reject);
    child.once("close", () => resolve());
  });
}
