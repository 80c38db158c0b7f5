import type { ChainCourse, ChainLink, ChainPlace } from "./chain-types.ts";
import type { GraphNodeBuilder, GraphPlace } from "./graph-builder.ts";
import type {
  Cancellation,
  Compensation,
  CrashHandling,
  ErrorHandling,
  Hooks,
  Key,
  Naming,
  Output,
  SagaErrorHandling,
  Timeout,
} from "./modifiers.ts";
import type { WorkflowBuilder } from "./workflow-builder.ts";

/**
 * The builders by what their last link is: what a modifier gives back when it changes the types.
 *
 * `Base` is the data at the beginning of the body, `Before` the keys added up to the last link, `Last` the last link itself.
 */
export interface LinkBuilders<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  readonly step: StepBuilder<Base, Before, Last, Where, Way>;
  readonly child: ChildBuilder<Base, Before, Last, Where, Way>;
  readonly wait: WaitBuilder<Base, Before, Last, Where, Way>;
  readonly saga: SagaBuilder<Base, Before, Last, Where, Way>;
  readonly container: ContainerBuilder<Base, Before, Last, Where, Way>;
  readonly node: Where extends GraphPlace ? GraphNodeBuilder<Base, Before, Last, Where, Way> : never;
}
/** What the last link is. */
export type LinkKind = keyof LinkBuilders<any, any, any, any, any>;

/** After a step: it takes every modifier. */
export interface StepBuilder<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
>
  extends
    WorkflowBuilder<Base, Before & Last["as"] & Last["keys"], Last, Where, Way>,
    Naming,
    Key<"step", Base, Before, Last, Where, Way>,
    Output<"step", Base, Before, Last, Where, Way>,
    ErrorHandling<"step", Base, Before, Last, Where, Way>,
    Timeout,
    Compensation<Base, Before, Last, Where>,
    Hooks<"step", Base, Before, Last, Where, Way>,
    CrashHandling,
    Cancellation<"step", Base, Before, Last, Where, Way> {}

/** After `runWorkflow`: everything but `.onCrash`. */
export interface ChildBuilder<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
>
  extends
    WorkflowBuilder<Base, Before & Last["as"] & Last["keys"], Last, Where, Way>,
    Naming,
    Key<"child", Base, Before, Last, Where, Way>,
    Output<"child", Base, Before, Last, Where, Way>,
    ErrorHandling<"child", Base, Before, Last, Where, Way>,
    Timeout,
    Compensation<Base, Before, Last, Where>,
    Hooks<"child", Base, Before, Last, Where, Way>,
    Cancellation<"child", Base, Before, Last, Where, Way> {}

/** After a wait: everything but `.timeout`, which is an option of the wait, and `.onCrash`. */
export interface WaitBuilder<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
>
  extends
    WorkflowBuilder<Base, Before & Last["as"] & Last["keys"], Last, Where, Way>,
    Naming,
    Key<"wait", Base, Before, Last, Where, Way>,
    Output<"wait", Base, Before, Last, Where, Way>,
    ErrorHandling<"wait", Base, Before, Last, Where, Way>,
    Compensation<Base, Before, Last, Where>,
    Hooks<"wait", Base, Before, Last, Where, Way>,
    Cancellation<"wait", Base, Before, Last, Where, Way> {}

/** After a saga: everything but `.output` and `.onCrash`. */
export interface SagaBuilder<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
>
  extends
    WorkflowBuilder<Base, Before & Last["as"] & Last["keys"], Last, Where, Way>,
    Naming,
    Key<"saga", Base, Before, Last, Where, Way>,
    SagaErrorHandling<Base, Before, Last, Where, Way>,
    Timeout,
    Compensation<Base, Before, Last, Where>,
    Hooks<"saga", Base, Before, Last, Where, Way>,
    Cancellation<"saga", Base, Before, Last, Where, Way> {}

/** After any other container, and after a timer: `.name`, `.id`, `.cancelWhen`, `.onFailure` and `.ensure`. */
export interface ContainerBuilder<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
>
  extends
    WorkflowBuilder<Base, Before & Last["as"] & Last["keys"], Last, Where, Way>,
    Naming,
    Hooks<"container", Base, Before, Last, Where, Way>,
    Cancellation<"container", Base, Before, Last, Where, Way> {}
