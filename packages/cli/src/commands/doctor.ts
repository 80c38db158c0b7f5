import type { HostHealth } from "@wfe/core";
import type { Command } from "commander";
import { exitCodes } from "../exit-codes.ts";
import { type JsonOption, type StoreOptions, withJson, withStore } from "../options.ts";
import type { Surroundings } from "../program.ts";
import { json } from "../terminal.ts";
import { withClient } from "../with-client.ts";

interface Finding {
  readonly ok: boolean;
  readonly what: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** `wfe doctor`: whether all is well with this machine and the store. */
export function addDoctor(program: Command, { terminal, endWith }: Surroundings): void {
  withJson(withStore(program.command("doctor")))
    .description("look whether all is well with this machine and the store")
    .action(async (options: StoreOptions & JsonOption) => {
      const findings = await withClient(options, async (host, store) => {
        const health = await host.health();
        const found = [...machine(), ...providers(health, store.name)];
        if (!health.ok) return found;
        const counts = await Promise.all(
          (["runnable", "waiting", "suspended", "failed"] as const).map(async (status) => ({
            status,
            count: await host.countWorkflows({ status }),
          })),
        );
        return [...found, ...counts.map(({ status, count }) => counted(status, count))];
      });
      if (options.json === true) terminal.data(`${json(findings, 2)}\n`);
      else for (const finding of findings) terminal.data(`${finding.ok ? "ok  " : "FAIL"} ${sentence(finding)}\n`);
      if (!findings.every(({ ok }) => ok)) endWith(exitCodes.storeUnavailable);
    });
}

function sentence({ what, hint }: Finding): string {
  return hint === undefined ? what : `${what}: ${hint}`;
}

function machine(): Finding[] {
  return [{ ok: true, what: `Node ${process.versions.node} on ${process.platform}` }];
}

function providers({ providers: list, search }: HostHealth, name: string): Finding[] {
  const found = list.map((provider): Finding => {
    const what = `${provider.name} (${name})`;
    return provider.ok
      ? { ok: true, what: `${what} answers in ${provider.latencyMs.toFixed(1)} ms` }
      : { ok: false, what, hint: provider.error?.message ?? "it does not answer" };
  });
  if (search !== undefined && search.error !== undefined) {
    found.push({ ok: true, what: `the search index ${search.index} lags`, hint: search.error.message });
  }
  return found;
}

function counted(status: string, count: number): Finding {
  const hint =
    count > 0 && (status === "suspended" || status === "failed") ? `see \`wfe list --status ${status}\`` : undefined;
  return { ok: true, what: `${count} ${status}`, ...(hint === undefined ? {} : { hint }) };
}
