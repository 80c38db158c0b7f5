import type { BodyTypes, Built, ChainCourse, ExitsOf, ChainLink, ChainPlace, Surely } from "./chain-types.ts";
import type { GraphBuilder, GraphPlace } from "./graph-builder.ts";
import type { ContainerBuilder, SagaBuilder } from "./link-builders.ts";
import type { SagaDone } from "./modifiers.ts";
import type { ParallelBuilder } from "./parallel-builder.ts";
import type { Body } from "./workflow-builder.ts";

/** Operators that open a scope, and join at its end. */
export interface Joining<Base, Added extends object, Data, Where extends ChainPlace, Way extends ChainCourse> {
  /**
   * Runs branches at the same time, and goes on when all have ended.
   *
   * One failing branch cancels the others and fails the link; with `onFailure: "wait"` after they have ended. Two branches must
   * not set the same key.
   */
  parallel<Types extends BodyTypes>(
    branches: (parallel: ParallelBuilder<Data, Where>) => Built<Types>,
    options?: ParallelOptions,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<undefined, {}, Surely<Types>, true>,
    Where,
    ChainCourse<
      Way["patched"] & Types["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Added, Types>,
      Types["ends"] extends true ? true : Way["ends"]
    >
  >;

  /**
   * Runs steps in the order of what they need: each begins when all its `needs` are done, and its output is `data[id]`.
   *
   * A failing node is like a failing branch of `parallel`.
   */
  graph<Types extends BodyTypes>(
    nodes: (graph: GraphBuilder<GraphPlace<Where["item"], Where["undone"], Data, {}, {}>>) => Built<Types>,
    options?: GraphOptions,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<undefined, {}, Types["added"], true>,
    Where,
    ChainCourse<Way["patched"] & Types["patched"], Way["breaks"], Way["exits"] | ExitsOf<Added, Types>, Way["ends"]>
  >;

  /**
   * Runs the body so that it happens as a whole or is undone: when a step inside fails for good, every compensation of what
   * began inside runs, newest first, and then the saga has failed with the first error.
   */
  saga<Types extends BodyTypes>(
    body: Body<Data, Where, Types>,
  ): SagaBuilder<
    Base,
    Added,
    ChainLink<SagaDone, {}, Surely<Types>, true>,
    Where,
    ChainCourse<
      Way["patched"] & Types["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Added, Types>,
      Types["ends"] extends true ? true : Way["ends"]
    >
  >;
}

/** Options of `parallel`. */
export interface ParallelOptions {
  /** When a branch fails: `"cancel"` the others (default), or `"wait"` until they have ended. The link fails either way. */
  readonly onFailure?: "cancel" | "wait";
}

/** Options of `graph`. */
export interface GraphOptions extends ParallelOptions {
  /** Nodes at the same time. Default: all that have what they need. */
  readonly concurrency?: number;
}
