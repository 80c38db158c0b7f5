import { type Duration, parseDuration } from "../../duration.ts";
import { HostStoppedError, InvalidOptionError } from "../../errors.ts";
import type { Provider } from "../../providers/provider.ts";
import { finalStatuses } from "../../providers/records.ts";
import { telemetryHost } from "../core/telemetry-host.ts";
import { engineTime } from "../core/engine-time.ts";
import { LogKeeper } from "../core/log-keeper.ts";
import type { HostCore, Runner } from "../core/host-core.ts";
import { noteMissed } from "../core/search-note.ts";
import { Offers } from "../core/offers.ts";
import { HostLifecycle } from "../lifecycle-hub.ts";
import { DefinitionRegistry } from "../registry.ts";
import { createRunner } from "../runner/create-runner.ts";
import type { ClientShared } from "./client-shared.ts";
import { lookUpOutcomes, type CallOutcome, type OutcomeKey } from "./control.ts";
import { checkObject, refuseUnknown, type CheckedOptions } from "./host-options.ts";
import { StoreCalls } from "./store-calls.ts";
import { Watch } from "./watch.ts";
import { lookUpEnds, type WorkflowEnd, type WorkflowKey } from "./workflow-end.ts";

export interface StopOptions {
  /** How long running steps may go on before their signals are aborted. Default 30 s. */
  readonly timeout?: Duration;
}

/** A host from its making to its end: opens providers when they are first needed, runs workflows where that is asked for, and lets go of everything. */
export class HostLife {
  readonly registry: DefinitionRegistry;
  readonly shared: ClientShared;
  readonly #core: ClientShared["core"];
  readonly #inFlight: Set<Promise<unknown>> = new Set();
  readonly #stopListeners: Set<() => void> = new Set();
  #opening: Promise<void> | undefined;
  #isOpen = false;
  #starting: Promise<void> | undefined;
  #runner: Runner | undefined;
  #stopping: Promise<void> | undefined;
  #stopped = false;

  constructor(options: CheckedOptions) {
    const { providers, runtime, hostName, log, settings, telemetry } = options;
    const time = engineTime(runtime.clock, providers.persistence);
    this.registry = new DefinitionRegistry(options);
    for (const definition of options.workflows) this.registry.register(definition);
    const hub = new HostLifecycle({ host: hostName, now: time.engineNow, log });
    const host = { name: hostName, namespace: options.namespace, stats: () => this.#runner?.stats() };
    const measured = telemetry?.open(telemetryHost(host, providers));
    this.#core = {
      runtime,
      providers,
      registry: this.registry,
      hub,
      options: settings,
      hostName,
      log,
      telemetry: measured,
      logs:
        options.keepLogs && providers.persistence.logs !== undefined
          ? new LogKeeper(providers.persistence.logs, runtime, time.engineNow, settings.limits.logLines)
          : undefined,
      ...time,
    };
    this.shared = {
      core: this.#core,
      store: new StoreCalls(runtime, providers.persistence, settings.limits),
      ends: this.#watchEnds(),
      outcomes: this.#watchOutcomes(),
      open: () => this.#open(),
      call: (work) => this.#call(work),
      openInBackground: () => this.#openInBackground(),
      onStop: (listener) => this.#onStop(listener),
      runsWorkflows: () => this.#starting !== undefined,
      runner: () => this.#runner,
      freshTime: () => (this.#starting === undefined ? time.syncEngineTime() : Promise.resolve()),
      wake: (runs) => this.#runner?.wake(runs),
      noTransactions: (method) => noTransactions(this.#core, method),
    };
  }

  /** Runs workflows from here on. A second call waits for the first one. */
  start(): Promise<void> {
    if (this.#stopping !== undefined) return Promise.reject(stoppedError());
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Lets go of everything. A second call waits for the first one. */
  async stop(options: StopOptions): Promise<void> {
    checkObject("the options of `stop`", options);
    refuseUnknown("the options of `stop`", options, ["timeout"]);
    const timeoutMs =
      options.timeout === undefined ? this.#core.options.graceMs : parseDuration(options.timeout, "timeout");
    this.#stopping ??= this.#stop(timeoutMs);
    await this.#stopping;
  }

  async #start(): Promise<void> {
    await this.#open();
    const runner = createRunner(this.#core);
    this.#runner = runner;
    try {
      await runner.start();
    } catch (error) {
      this.#runner = undefined;
      throw error;
    }
  }

  async #stop(timeoutMs: number): Promise<void> {
    // A start that failed has told its own caller.
    await this.#starting?.catch(() => {});
    try {
      // Steps that are finishing may still start workflows and publish.
      await this.#runner?.stop({ timeoutMs });
    } finally {
      await this.#close();
    }
  }

  async #close(): Promise<void> {
    this.#stopped = true;
    const error = stoppedError();
    this.shared.ends.close(error);
    this.shared.outcomes.close(error);
    await Promise.allSettled(this.#inFlight);
    for (const listener of this.#stopListeners) listener();
    this.#core.telemetry?.close();
    await this.#core.logs?.close();
    this.#core.hub.disconnect();
    const opened = await this.#opening?.then(
      () => true,
      () => false,
    );
    this.#isOpen = false;
    if (opened !== true) return;
    await this.#noteMissed().catch((missedError: unknown) =>
      this.#core.log.warn(
        "the store could not be told that this host had no search index: call `reindex()` once hosts have one again",
        { error: missedError },
      ),
    );
    await closeAll(this.#core.providers.list);
  }

  #open(): Promise<void> {
    if (this.#stopped) return Promise.reject(stoppedError());
    this.#opening ??= this.#openAll().catch((error: unknown) => {
      // The next call tries again.
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async #openAll(): Promise<void> {
    const { providers, runtime, hub, syncEngineTime } = this.#core;
    const opened: Provider[] = [];
    try {
      let store: string | undefined;
      for (const provider of providers.list) {
        await provider.open({ runtime, ...(store === undefined ? {} : { store }) });
        opened.push(provider);
        if (provider.persistence === providers.persistence) store = provider.lock?.name;
      }
      await syncEngineTime();
      await this.#noteMissed();
    } catch (error) {
      await closeAll(opened).catch((closeError: unknown) =>
        this.#core.log.warn("a provider could not be closed after another one failed to open", { error: closeError }),
      );
      throw error;
    }
    hub.connect(providers.lifecycle);
    this.#offerWhatIsWoken();
    this.#isOpen = true;
  }

  /**
   * What a host without an index does is kept for none. Told before it does anything, for it may die; and at its end, since one that
   * has an index may have begun anew and stopped meanwhile.
   */
  async #noteMissed(): Promise<void> {
    const { search, persistence } = this.#core.providers;
    if (search === undefined && persistence.outbox !== undefined) await noteMissed(persistence.outbox);
  }

  /** A host that runs workflows does so itself, with what it does not take. */
  #offerWhatIsWoken(): void {
    const { providers } = this.#core;
    if (!providers.queueStandsApart) return;
    const offers = new Offers(this.#core);
    const end = providers.persistence.hints(({ runs, own }) => {
      if (own === true && runs !== undefined && this.#runner === undefined) offers.offer(runs);
    });
    this.#onStop(end);
  }

  #openInBackground(): void {
    if (this.#isOpen || this.#stopped) return;
    this.#open().catch((error: unknown) =>
      this.#core.log.warn("events of other hosts are not heard: a provider cannot be opened", { error }),
    );
  }

  #call<Result>(work: (late: boolean) => Promise<Result>): Promise<Result> {
    if (this.#stopped) return Promise.reject(stoppedError());
    const result = this.#isOpen ? promised(work) : this.#open().then(() => work(true));
    this.#inFlight.add(result);
    const ended = (): void => void this.#inFlight.delete(result);
    result.then(ended, ended);
    return result;
  }

  #onStop(listener: () => void): () => void {
    if (this.#stopped) listener();
    this.#stopListeners.add(listener);
    return () => void this.#stopListeners.delete(listener);
  }

  #watchEnds(): Watch<WorkflowKey, WorkflowEnd> {
    const { runtime, log, providers, hub } = this.#core;
    const watch = new Watch<WorkflowKey, WorkflowEnd>({
      clock: runtime.clock,
      log,
      what: "how workflows end",
      textOf: ({ namespace, id }) => `${namespace}\0${id}`,
      lookUp: (keys) => lookUpEnds(providers.persistence, keys),
      hints: (listener) => providers.persistence.hints(listener),
      inHand: (run) => this.#runner?.has(run) === true,
    });
    hub.onEnded((ended) => watch.tell({ namespace: ended.namespace, id: ended.workflowId }, ended));
    return watch;
  }

  #watchOutcomes(): Watch<OutcomeKey, CallOutcome> {
    const { runtime, log, providers, hub } = this.#core;
    const watch = new Watch<OutcomeKey, CallOutcome>({
      clock: runtime.clock,
      log,
      what: "how calls were answered",
      textOf: ({ run, number }) => `${run}.${number}`,
      lookUp: (keys) => lookUpOutcomes(providers.persistence, keys),
      hints: (listener) => {
        const endHints = providers.persistence.hints(listener);
        const endEvents = this.#onTurningPoints(() => listener({}));
        return () => {
          endHints();
          endEvents();
        };
      },
    });
    hub.onDeliveriesRead((run, outcomes) => {
      for (const outcome of outcomes) watch.tell({ run, number: outcome.number }, outcome);
    });
    return watch;
  }

  /**
   * Calls the listener when some workflow was suspended, resumed or ended by another host, which is what most calls ask for:
   * the store need not hint at an answer.
   *
   * Only for a host that runs nothing itself, and only while an answer is waited for: to listen makes every host tell of every
   * step.
   */
  #onTurningPoints(listener: () => void): () => void {
    if (this.#starting !== undefined) return () => {};
    return this.#core.hub.subscribe(({ type }) => {
      if (turningPoints.has(type)) listener();
    });
  }
}

const turningPoints: ReadonlySet<string> = new Set([
  "workflow.suspended",
  "workflow.resumed",
  ...finalStatuses.map((status) => `workflow.${status}`),
]);

/** A throw becomes a rejection; the work begins in this very call. */
async function promised<Result>(work: (late: boolean) => Promise<Result>): Promise<Result> {
  return work(false);
}

/** In reverse order; all of them, also when one fails. */
async function closeAll(providers: readonly Provider[]): Promise<void> {
  const errors: unknown[] = [];
  for (const provider of providers.toReversed()) await provider.close().catch((error: unknown) => errors.push(error));
  if (errors.length > 0) throw errors[0];
}

function stoppedError(): HostStoppedError {
  return new HostStoppedError(
    "the host was stopped: workflows go on with other hosts, or with the next one; make a new `WorkflowHost` to reach them",
  );
}

function noTransactions({ providers }: HostCore, method: string): InvalidOptionError {
  const name = providers.list.findLast((provider) => provider.persistence !== undefined)?.name;
  return new InvalidOptionError(
    `\`tx\`: the store \`${name}\` has no transactions that \`${method}\` could join: leave \`tx\` out`,
  );
}
