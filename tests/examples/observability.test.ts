import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

const run = promisify(execFile);
const folder = fileURLToPath(new URL("../../examples/observability/", import.meta.url));

it("shows its workflows to Prometheus and in spans, under the names that the dashboard asks for", async () => {
  const script = `${folder}observability.ts`;
  const port = String(20_000 + (process.pid % 20_000));
  const { stdout } = await run(process.execPath, ["--conditions=wfe-source", script, "3"], {
    env: { ...process.env, METRICS_PORT: port },
    timeout: 90_000,
  });
  const shown = new Set([...stdout.matchAll(/^(wfe_\w+?)(?:_count|_sum|_total)?\{/gmu)].map(([, name = ""]) => name));
  const dashboard = readFileSync(`${folder}grafana/wfe.json`, "utf8");
  const asked = new Set(
    // What metrics are grouped by is no metric.
    [...dashboard.replaceAll(/\{\{\w+\}\}|by \([^)]*\)/gu, "").matchAll(/wfe_\w+/gu)].map(([name]) =>
      name.replace(/_(count|bucket|total)$/u, ""),
    ),
  );
  expect(asked.size).toBeGreaterThan(8);
  // Nothing is lost or taken over in a run that goes well.
  const rare = ["wfe_appends_lost", "wfe_takeovers"];
  expect([...asked].filter((name) => !shown.has(name) && !rare.includes(name))).toEqual([]);
  const [, file = ""] = /spans: (\S+)/u.exec(stdout) ?? [];
  const spans = readFileSync(file, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly name: string; readonly startedBy: readonly string[] });
  expect(new Set(spans.map(({ name }) => name))).toEqual(new Set(["request", "wfe.step", "wfe.turn"]));
  expect(spans.every(({ name, startedBy }) => name === "request" || startedBy.length === 1)).toBe(true);
}, 100_000);
