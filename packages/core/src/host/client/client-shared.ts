import type { InvalidOptionError } from "../../errors.ts";
import type { Run } from "../../providers/records.ts";
import type { HostCore, Runner } from "../core/host-core.ts";
import type { HostLifecycle } from "../lifecycle-hub.ts";
import type { DefinitionRegistry } from "../registry.ts";
import type { CallOutcome, OutcomeKey } from "./control.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { Watch } from "./watch.ts";
import type { WorkflowEnd, WorkflowKey } from "./workflow-end.ts";

/** What all views of one host share: made once by `WorkflowHost`. */
export interface ClientShared {
  readonly core: HostCore & { readonly registry: DefinitionRegistry; readonly hub: HostLifecycle };
  readonly store: StoreCalls;
  readonly ends: Watch<WorkflowKey, WorkflowEnd>;
  readonly outcomes: Watch<OutcomeKey, CallOutcome>;
  /** Opens the providers; resolves when they are open. Rejects with a `HostStoppedError` once the host has stopped. */
  readonly open: () => Promise<void>;
  /**
   * Does the work with open providers, in this very call where they are open already (`late` is false). `stop` waits for what is
   * under way. Rejects like `open`.
   */
  readonly call: <Result>(work: (late: boolean) => Promise<Result>) => Promise<Result>;
  /** The same for whoever cannot wait; a failure is logged. */
  readonly openInBackground: () => void;
  /** Calls the listener when the host has stopped. Gives a function that ends it. */
  readonly onStop: (listener: () => void) => () => void;
  /** Whether the host was started, and so is one that would run what it starts. */
  readonly runsWorkflows: () => boolean;
  /** The half that runs workflows; undefined where the host was not started. */
  readonly runner: () => Runner | undefined;
  /** Engine time is the store's from here on. A runner sees to that itself; a client has to ask before it counts from now. */
  readonly freshTime: () => Promise<void>;
  /** Tells the runner, if there is one, what this client has stored. */
  readonly wake: (runs?: readonly Run[]) => void;
  /** The error where a store cannot join a caller's transaction. */
  readonly noTransactions: (method: string) => InvalidOptionError;
}
