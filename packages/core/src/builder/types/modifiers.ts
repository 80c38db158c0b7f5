import type { ErrorBehavior } from "../../definition/error-behavior.ts";
import type { At, StepContext } from "../../definition/step-context.ts";
import type { Duration } from "../../duration.ts";
import type {
  BodyTypes,
  Built,
  ChainCourse,
  Condition,
  DataOf,
  ExitsOf,
  ChainLink,
  NoChainLink,
  Perhaps,
  ChainPlace,
  StraightCourse,
} from "./chain-types.ts";
import type { LinkBuilders, LinkKind, SagaBuilder } from "./link-builders.ts";
import type { Retry } from "../retry.ts";
import type {
  DataDuring,
  FittingKey,
  FittingPatch,
  InputMap,
  Keyed,
  NewKeys,
  Patched,
  Rekeyed,
  Step,
} from "./step-types.ts";
import type { WorkflowBuilder } from "./workflow-builder.ts";

/** Names of the last link. */
export interface Naming {
  /**
   * Names the last link, for people. Its id is made from the name unless `.id` gives one.
   *
   * At most 512 bytes.
   */
  name(name: string): this;
  /**
   * Gives the last link its id: what running workflows are matched by, and what repair calls name.
   *
   * At most 512 bytes, unique in the definition. Default: the name, else the function's name, else the kind, with a counter
   * among equals in the same body. Give one to a step whose function may be renamed (or minified) while workflows run.
   */
  id(id: string): this;
}

/** Where the output goes: under a key. */
export interface Key<
  Kind extends LinkKind,
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  /**
   * Puts the output under `key` of the data.
   *
   * A key that exists keeps its type, and the output must fit it. Inside a `forEach` the key is the item's own.
   */
  as<const Name extends string>(
    key: Name extends keyof Base | keyof Before | keyof Last["keys"]
      ? "a key that exists keeps its type, and the output must fit it"
      : Name,
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<Last["out"], Keyed<Name, Last["out"], Last["sure"]>, Last["keys"], Last["sure"]>,
    Where,
    Way
  >[Kind];
  as<const Name extends string & (keyof Base | keyof Before | keyof Last["keys"])>(
    key: FittingKey<Name, Base & Before & Last["keys"], Last["out"]>,
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<
      Last["out"],
      Rekeyed<Name, Base & Before & Last["keys"], Last["out"], Last["sure"]>,
      Last["keys"],
      Last["sure"]
    >,
    Where,
    Way
  >[Kind];
}

/** Where the output goes: anywhere. */
export interface Output<
  Kind extends LinkKind,
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  /**
   * Merges what `patch` makes of the output into the data.
   *
   * Patches are made one at a time, on the data of that moment, so parallel branches may add to one total. Inside a `forEach`
   * they change the workflow's data.
   */
  output<Patch extends Partial<DataOf<Base, Before>> | object>(
    patch: [keyof Last["as"]] extends [never]
      ? (
          data: DataOf<Base, Before & Last["keys"]>,
          output: Last["out"],
          at: At<Where["item"]>,
        ) => Patch & FittingPatch<Patch, DataOf<Base, Before>>
      : "the output goes to the key of `.as`: use one or the other",
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<
      Last["out"],
      {},
      Last["keys"] & Patched<NewKeys<Patch, keyof Base | keyof Before>, Last["sure"]>,
      Last["sure"]
    >,
    Where,
    ChainCourse<Way["patched"] & NewKeys<Patch, keyof Base | keyof Before>, Way["breaks"], Way["exits"], Way["ends"]>
  >[Kind];
}

/** What happens when the last link fails for good. */
export interface ErrorHandling<
  Kind extends LinkKind,
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  /**
   * Says what happens when an attempt fails. Default `"fail"`.
   *
   * `retry({...})` tries again; `"fail"` fails the scope around it; `"suspend"` waits for someone to repair and resume;
   * `"terminate"` ends the workflow without undoing; `"compensate"` undoes this step alone and goes on; `"ignore"` goes on.
   * After the last two there may be no output: its key is optional.
   */
  onError(behavior: Stopping): this;
  onError(
    behavior: ErrorBehavior,
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<Last["out"], Partial<Last["as"]>, Partial<Last["keys"]>, false>,
    Where,
    Way
  >[Kind];
}
type Stopping = "fail" | "suspend" | "terminate" | Retry<"fail" | "suspend" | "terminate">;

/** The same of a saga, whose output says how it ended. */
export interface SagaErrorHandling<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  /**
   * Says what happens when the saga has failed and has been undone. Default `"fail"`.
   *
   * `retry({...})` runs it again from its beginning. After `"ignore"` the workflow goes on after it: `.as("trip")` then gives
   * `{ ok: true }` or `{ ok: false, error }`, and the keys of its steps are optional.
   */
  onError(behavior: Stopping): this;
  onError(
    behavior: ErrorBehavior,
  ): SagaBuilder<
    Base,
    Before,
    ChainLink<
      SagaDone | SagaFailed,
      { [Name in keyof Last["as"]]: SagaDone | SagaFailed },
      Partial<Last["keys"]>,
      Last["sure"]
    >,
    Where,
    Way
  >;
}
/** The output of a saga that came to its end. */
export interface SagaDone {
  readonly ok: true;
}
/** The output of a saga that was undone, where the workflow goes on. */
export interface SagaFailed {
  readonly ok: false;
  readonly error: Error;
}

/** How long an attempt may take. */
export interface Timeout {
  /**
   * Gives each attempt this long; then its signal aborts and it fails with `StepTimeoutError`, even if the body never returns. Where
   * it is to be undone, that waits up to 30 s for the body to return.
   *
   * Of a child workflow and of a saga: how long it may take from its beginning. What runs then is stopped and undone, and only when
   * that has ended does the step fail: for a child that no host can run, that is when one can, or when it is terminated.
   */
  timeout(duration: Duration): this;
}

/** What undoes the last link. */
export interface Compensation<Base, Before extends object, Last extends ChainLink, Where extends ChainPlace> {
  /**
   * Undoes the step when the scope around it fails, or the workflow does. `ctx.undoing` is what it knows of the execution.
   *
   * The step's own keys are optional in the data: a step that failed is undone too, for it may have half happened. Modifiers
   * that follow belong to the step; for retries of the undoing use {@link compensateWithSequence}.
   */
  compensateWith<Returned>(
    step: Step<
      DataDuring<Base, Before, Last>,
      StepContext<DataDuring<Base, Before, Last>, Where["item"], Last["out"]>,
      Returned
    >,
  ): this;
  compensateWith<Input, Returned>(
    step: Step<Input, StepContext<DataDuring<Base, Before, Last>, Where["item"], Last["out"]>, Returned>,
    input: InputMap<DataDuring<Base, Before, Last>, Where, Input>,
  ): this;
  /** The same with several steps, each with modifiers of its own. */
  compensateWithSequence<Types extends BodyTypes>(
    body: (
      builder: WorkflowBuilder<
        DataDuring<Base, Before, Last>,
        {},
        NoChainLink,
        ChainPlace<Where["item"], Last["out"], never>,
        StraightCourse
      >,
    ) => Built<Types>,
  ): this;
}

/** What else runs. */
export interface Hooks<
  Kind extends LinkKind,
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  /** Runs after the last link has failed for good. */
  onFailure<Types extends BodyTypes>(
    body: (
      builder: WorkflowBuilder<
        DataOf<DataOf<Base, Before>, Partial<Last["keys"]>>,
        {},
        NoChainLink,
        ChainPlace<Where["item"], Where["undone"], never>,
        StraightCourse
      >,
    ) => Built<Types>,
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<Last["out"], Last["as"], Last["keys"] & Perhaps<Types>, Last["sure"]>,
    Where,
    ChainCourse<Way["patched"] & Types["patched"], Way["breaks"], Way["exits"] | ExitsOf<Before, Types>, Way["ends"]>
  >[Kind];
  /** Runs last, always: after the link has completed, failed or been cancelled, and after `onFailure`. */
  ensure<Types extends BodyTypes>(
    body: (
      builder: WorkflowBuilder<
        DataDuring<Base, Before, Last>,
        {},
        NoChainLink,
        ChainPlace<Where["item"], Where["undone"], never>,
        StraightCourse
      >,
    ) => Built<Types>,
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<Last["out"], Last["as"], Last["keys"] & Types["added"], Last["sure"]>,
    Where,
    ChainCourse<
      Way["patched"] & Types["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Before, Types>,
      Types["ends"] extends true ? true : Way["ends"]
    >
  >[Kind];
}

/** What happens to a step that may have half happened. */
export interface CrashHandling {
  /**
   * Says what happens to the step when its attempt broke off and it may have half happened: its host died, or the step was told to
   * end (`ctx.signal`: the host stops, cannot rely on its lease, or the workflow is suspended) and ended without a result. Default
   * `"retry"`.
   *
   * `"retry"` runs it again under the same `ctx.idempotencyKey`; `"fail"` fails it with `StepCrashedError`; `"suspend"` waits
   * for someone to decide. The last two cost one more write before each attempt.
   */
  onCrash(behavior: "retry" | "fail" | "suspend"): this;
}

/** What ends the last link early. */
export interface Cancellation<
  Kind extends LinkKind,
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  /**
   * Cancels the last link when the condition becomes true while it is live.
   *
   * With `{ proceed: true }` the chain goes on after it, without its output. Otherwise this branch ends there, and the join
   * after the branch goes on: what the branch sets from here on is optional then.
   */
  cancelWhen(
    condition: Condition<DataDuring<Base, Before, Last>, Where>,
    options: { readonly proceed: true },
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<Last["out"], Partial<Last["as"]>, Partial<Last["keys"]>, false>,
    Where,
    Way
  >[Kind];
  cancelWhen(
    condition: Condition<DataDuring<Base, Before, Last>, Where>,
    options?: { readonly proceed?: false },
  ): LinkBuilders<
    Base,
    Before,
    Last,
    Where,
    ChainCourse<Way["patched"], Way["breaks"] | Before, Way["exits"], Way["ends"]>
  >[Kind];
  cancelWhen(
    condition: Condition<DataDuring<Base, Before, Last>, Where>,
    options: { readonly proceed: boolean },
  ): LinkBuilders<
    Base,
    Before,
    ChainLink<Last["out"], Partial<Last["as"]>, Partial<Last["keys"]>, false>,
    Where,
    ChainCourse<Way["patched"], Way["breaks"] | Before, Way["exits"], Way["ends"]>
  >[Kind];
}
