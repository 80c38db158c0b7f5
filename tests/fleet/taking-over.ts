import { WorkflowHost } from "@wfe/core";
import { quiet } from "../crash/quiet.ts";
import { CrashStore, type StoreName } from "../crash/stores/crash-store.ts";
import { heldOf } from "../crash/zombies/held.ts";
import type { ZombieOptions } from "../crash/zombies/zombie-runner.ts";
import { Child } from "../processes/support/child.ts";
import { until } from "../processes/support/until.ts";

const script = new URL("../crash/zombies/zombie-runner.ts", import.meta.url);

export interface TakingOver {
  readonly store: StoreName;
  readonly lease: `${number}s`;
  /** How the host that has the work goes. `killed elsewhere`: on a machine where nobody can look whether it is there. */
  readonly how: "killed" | "killed elsewhere" | "stopped";
  readonly times: number;
}

/** How many milliseconds after its host had gone a workflow's next attempt was over, each time. */
export async function takingOver({ store: name, lease, how, times }: TakingOver): Promise<readonly number[]> {
  await using store = await CrashStore.create(name);
  const held = heldOf(store.spec, { began: () => {}, aborted: () => {} });
  const options: ZombieOptions = { store: store.spec, directory: store.directory, lease };
  await using host = new WorkflowHost({ providers: store.providers(), workflows: [held.definition], log: quiet() });
  await using children = new AsyncDisposableStack();
  let [next, current] = await Promise.all([
    Child.spawn(script, { ...options, elsewhere: how === "killed elsewhere" }),
    Child.spawn(script, { ...options, elsewhere: how === "killed elsewhere" }),
  ]);
  children.defer(() => next[Symbol.asyncDispose]());
  children.defer(() => current[Symbol.asyncDispose]());
  await current.call("start");
  const taken: number[] = [];
  for (let time = 0; time < times; time += 1) {
    const id = `held-${time}`;
    await host.startWorkflow(held.definition, { n: 0 }, { id });
    const owner = current;
    await until({ what: "it is in the body", otherwise: () => owner.errors }, () => owner.told("began").includes(id));
    await next.call("start");
    if (how === "stopped") await owner.call("stop");
    else owner.kill("SIGKILL");
    const since = performance.now();
    await host.handle(id).result({ timeout: "60s" });
    taken.push(performance.now() - since);
    await owner[Symbol.asyncDispose]();
    current = next;
    if (time < times - 1) next = await Child.spawn(script, { ...options, elsewhere: how === "killed elsewhere" });
  }
  return taken;
}
