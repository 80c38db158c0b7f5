import type { StepContext } from "../../definition/step-context.ts";
import type { ChainCourse, DataOf, ChainLink, ChainPlace, StraightCourse, TypesOf } from "./chain-types.ts";
import type { Cancellation, Compensation, CrashHandling, ErrorHandling, Hooks, Timeout } from "./modifiers.ts";
import type { OutputOf, Storable } from "./output-types.ts";
import type { FittingKey, InputMap, Rekeyed, Step } from "./step-types.ts";

/** A place in a graph: what the graph began with, the outputs of its nodes, and which of them each node can read. */
export interface GraphPlace<
  Item = any,
  Undone = any,
  Base = any,
  Outputs extends object = any,
  Reach extends object = any,
> extends ChainPlace<Item, Undone, never> {
  readonly base: Base;
  readonly outputs: Outputs;
  readonly reach: Reach;
}

/** The nodes of a `graph`. */
export interface GraphBuilder<
  Where extends GraphPlace,
  Outputs extends object = Where["outputs"],
  Way extends ChainCourse = StraightCourse,
> {
  /** Only types: what the container infers. */
  readonly "~types": TypesOf<Outputs, undefined, Way>;

  /**
   * Adds a step that begins when all that it `needs` are done. Its output is `data[id]`.
   *
   * It can read the outputs of what it needs, and of what those need. `needs` names earlier nodes, so there are no cycles.
   */
  node<const Id extends string, Returned, Need extends keyof Outputs & string = never>(
    id: NodeId<Id, Where["base"], Outputs, OutputOf<Returned>>,
    step: Step<
      VisibleTo<Need, Where, Outputs>,
      StepContext<VisibleTo<Need, Where, Outputs>, Where["item"], Where["undone"]>,
      Returned
    > &
      Storable<Returned>,
    options?: NodeOptions<Need>,
  ): GraphNodeBuilder<
    VisibleTo<Need, Where, Outputs>,
    {},
    ChainLink<OutputOf<Returned>, Rekeyed<Id, Where["base"], OutputOf<Returned>>, {}, true>,
    GraphPlace<
      Where["item"],
      Where["undone"],
      Where["base"],
      Outputs,
      Where["reach"] & { [Key in Id]: Need | ReachOf<Need, Where["reach"]> }
    >,
    Way
  >;
  node<const Id extends string, Input, Returned, Need extends keyof Outputs & string = never>(
    id: NodeId<Id, Where["base"], Outputs, OutputOf<Returned>>,
    step: Step<Input, StepContext<VisibleTo<Need, Where, Outputs>, Where["item"], Where["undone"]>, Returned> &
      Storable<Returned>,
    options: NodeOptions<Need> & {
      /** Makes the step's input from the data; without it the input is the data. */
      readonly input: InputMap<VisibleTo<Need, Where, Outputs>, Where, Input>;
    },
  ): GraphNodeBuilder<
    VisibleTo<Need, Where, Outputs>,
    {},
    ChainLink<OutputOf<Returned>, Rekeyed<Id, Where["base"], OutputOf<Returned>>, {}, true>,
    GraphPlace<
      Where["item"],
      Where["undone"],
      Where["base"],
      Outputs,
      Where["reach"] & { [Key in Id]: Need | ReachOf<Need, Where["reach"]> }
    >,
    Way
  >;
}

/** Options of a node. */
interface NodeOptions<Need extends string = string> {
  /** Earlier nodes that must be done before. Default none: the node begins at once. */
  readonly needs?: readonly Need[];
}

/** After a node: the modifiers of a step, but `.id`, `.as` and `.output`, for which the node's own id stands. */
export interface GraphNodeBuilder<
  Base,
  Before extends object,
  Last extends ChainLink,
  Where extends GraphPlace,
  Way extends ChainCourse,
>
  extends
    GraphBuilder<Where, Where["outputs"] & Last["as"] & Last["keys"], Way>,
    ErrorHandling<"node", Base, Before, Last, Where, Way>,
    Timeout,
    Compensation<Base, Before, Last, Where>,
    Hooks<"node", Base, Before, Last, Where, Way>,
    CrashHandling,
    Cancellation<"node", Base, Before, Last, Where, Way> {
  /** Names the node, for people. At most 512 bytes; default: its id. */
  name(name: string): this;
}

type NodeId<Id extends string, Base, Outputs, Out> = Id extends keyof Outputs
  ? `another node has the id ${Id}`
  : Id extends keyof Base
    ? FittingKey<Id, Base, Out>
    : Id;

/** What a node can read: the outputs of what it needs, and of what those need. */
type VisibleTo<Need extends PropertyKey, Where extends GraphPlace, Outputs> = DataOf<
  Where["base"],
  Pick<Outputs, (Need | ReachOf<Need, Where["reach"]>) & keyof Outputs>
>;
type ReachOf<Need extends PropertyKey, Reach> = Need extends keyof Reach ? Reach[Need] : never;
