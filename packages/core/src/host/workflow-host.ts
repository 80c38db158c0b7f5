import type { WorkflowDefinition } from "../definition/definition.ts";
import { HostLife, type StopOptions } from "./client/host-life.ts";
import { checkHostOptions, type WorkflowHostOptions } from "./client/host-options.ts";
import { WorkflowClient } from "./client/workflow-client.ts";

/**
 * Runs workflows, and is the door to them: start, publish, look, control, repair.
 *
 * ```ts
 * await using host = new WorkflowHost({ providers: [sqlite("app.db")], workflows: [order] });
 * await host.start();
 * const handle = await host.startWorkflow(order, { orderId: "o-1" }, { id: "order-o-1" });
 * const data = await handle.result();
 * ```
 *
 * Any number of hosts, in any number of processes, may share a store. A host that is not started runs nothing, and everything
 * else works all the same: providers are opened when they are first needed.
 */
export class WorkflowHost extends WorkflowClient {
  readonly #life: HostLife;

  /** Checks every option, and throws an `InvalidOptionError` or `DefinitionConflictError`. Opens nothing yet. */
  constructor(options: WorkflowHostOptions) {
    const checked = checkHostOptions(options);
    const life = new HostLife(checked);
    super(life.shared, checked.namespace, undefined);
    this.#life = life;
  }

  /**
   * Adds a definition, before or after `start`. Registering the same structure again is harmless.
   *
   * Throws `DefinitionConflictError` where the id and version are registered with another structure, unless the host was made
   * with `allowRedefine`.
   */
  register(definition: WorkflowDefinition): void {
    this.#life.registry.register(definition);
  }

  /**
   * Opens the providers, creates or migrates the schema, takes up what was running, and runs workflows until `stop`.
   *
   * A second call gives the first one's promise. Rejects with a `StoreError` that says what to do, or a `NewerFormatError`; it
   * may then be called again. A host that was stopped is not started again: it rejects with `HostStoppedError`.
   */
  start(): Promise<void> {
    return this.#life.start();
  }

  /**
   * Begins no more steps, lets those that run finish within `timeout` (default 30 s), then aborts their signals, parks every
   * workflow and closes the providers. Results that are waited for reject with `HostStoppedError`.
   *
   * Also on a host that was not started, and a second time, it is harmless.
   */
  stop(options: StopOptions = {}): Promise<void> {
    return this.#life.stop(options);
  }

  /** `stop()`, at the end of an `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
