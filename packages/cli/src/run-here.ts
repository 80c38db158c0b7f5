import { type Duration, type WfeError, type WorkflowDefinition, type WorkflowHandle, WorkflowHost } from "@wfe/core";
import { durationText } from "./duration-text.ts";
import { CancelledError, ConflictError } from "./exit-codes.ts";
import { follow } from "./follow/follow.ts";
import { commandLine, inOurWords } from "./in-our-words.ts";
import { keptLines } from "./kept-lines.ts";
import type { StoreOptions } from "./options.ts";
import { quietLog } from "./quiet-log.ts";
import { listenForSignals } from "./signals.ts";
import type { Store } from "./store/store.ts";
import { json, type Terminal } from "./terminal.ts";
import { withoutWhen } from "./when-wrapper.ts";

export interface RunHereOptions extends StoreOptions {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly timeout?: string;
  readonly grace: string;
}

/** A workflow that this process runs and shows until it has ended. */
export interface RunHere {
  readonly id: string;
  /** It was begun before: its steps may have been mended since. */
  readonly isKnown: boolean;
  readonly store: Store;
  readonly definitions: readonly WorkflowDefinition[];
  readonly terminal: Terminal;
  readonly options: RunHereOptions;
  /** Starts it, or lets it go on. */
  readonly begin: (host: WorkflowHost) => Promise<WorkflowHandle>;
}

/**
 * Runs a host until one workflow has ended, and prints its result to stdout. The host takes this one and its children: other
 * workflows of the same definition may have been begun with other variables. Rejects with what the workflow rejects with.
 */
export async function runHere({ id, isKnown, store, definitions, terminal, options, begin }: RunHere): Promise<void> {
  const host = new WorkflowHost({
    providers: store.providers,
    namespace: options.namespace,
    workflows: definitions,
    only: [id],
    allowRedefine: isKnown,
    log: quietLog,
    limits: { logLines: keptLines },
  });
  const signals = listenForSignals(terminal);
  const startedAt = performance.now();
  let handle: WorkflowHandle | undefined;
  try {
    const following = options.quiet === true ? undefined : follow(host, terminal, definitions);
    await host.start();
    handle = await begin(host);
    if (options.quiet !== true) terminal.say(`workflow ${id}`);
    await following?.show(id);
    try {
      const timeout = options.timeout as Duration | undefined;
      const result = handle.result(timeout === undefined ? {} : { timeout });
      const data = await Promise.race([result, suspended(host, id), signals.interrupted]);
      await following?.end();
      if (options.quiet !== true) {
        terminal.say(terminal.style("green", `completed in ${durationText(performance.now() - startedAt)}`));
      }
      await print({ host, id, data, options, terminal });
    } catch (error) {
      // The tree stays on the screen, and what is said next comes under it.
      await following?.end();
      if (options.json === true) await print({ host, id, data: undefined, options, terminal });
      throw error;
    }
  } catch (error) {
    if (handle !== undefined && error instanceof CancelledError) {
      await host.stop({ timeout: options.grace as Duration });
      throw new CancelledError(`${error.message}; it goes on with: ${commandLine(["resume", handle.id], options)}`);
    }
    throw handle === undefined ? error : inOurWords(error, { id: handle.id, options });
  } finally {
    signals.end();
    await host.stop({ timeout: options.grace as Duration });
  }
}

/** Codes of errors that stay for as long as definition and records are what they are. */
const unusable: ReadonlySet<string> = new Set(["CORRUPTED_RECORD", "NEWER_FORMAT"]);

/** Rejects when the workflow is suspended: whoever waits here would wait for ever. */
function suspended(host: WorkflowHost, id: string): Promise<never> {
  return new Promise((_, reject) => {
    const look = async (): Promise<void> => {
      const details = await host.getWorkflow(id);
      if (details?.status !== "suspended") return;
      const why = details.error?.message ?? details.reason;
      const text = `the workflow is suspended${why === undefined ? "" : `: ${why}`}`;
      // To go on with it as it is would end here again.
      const { code } = (details.error ?? {}) as Partial<WfeError>;
      reject(code !== undefined && unusable.has(code) ? new ConflictError(text) : new CancelledError(text));
    };
    host.on("workflow.suspended", ({ workflowId }) => {
      if (workflowId === id) look().catch(reject);
    });
    look().catch(reject);
  });
}

async function print(of: {
  readonly host: WorkflowHost;
  readonly id: string;
  readonly data: unknown;
  readonly options: RunHereOptions;
  readonly terminal: Terminal;
}): Promise<void> {
  const { host, id, data, options, terminal } = of;
  if (options.json === true) {
    const { status, error, createdAt, completedAt, steps = [], data: last } = (await host.getWorkflow(id)) ?? {};
    const shown = withoutWhen(steps);
    const document = { id, status, data: data ?? last, error: error ?? null, createdAt, completedAt, steps: shown };
    terminal.data(`${json(document, 2)}\n`);
  } else if (options.quiet !== true) {
    terminal.data(`${json(data, 2)}\n`);
  }
}
