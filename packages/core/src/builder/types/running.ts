import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { StepContext } from "../../definition/step-context.ts";
import type {
  BodyTypes,
  Built,
  ChainCourse,
  ExitsOf,
  ChainLink,
  NoChainLink,
  ChainPlace,
  StraightCourse,
} from "./chain-types.ts";
import type { ChildBuilder, StepBuilder } from "./link-builders.ts";
import type { OutputOf, Storable } from "./output-types.ts";
import type { InputMap, Step } from "./step-types.ts";
import type { FragmentStart, WorkflowBuilder } from "./workflow-builder.ts";

/** Operators that run something: a step, a child workflow, or a piece of a chain. */
export interface Running<Base, Added extends object, Data, Where extends ChainPlace, Way extends ChainCourse> {
  /** Only types: see {@link NotAPromise}. */
  readonly "~promise": any;

  /** Runs the first step of a chain. The same as {@link then}, and reads better at the beginning; `build` refuses it elsewhere. */
  startWith<Returned>(
    step: Step<Data, StepContext<Data, Where["item"], Where["undone"]>, Returned> & Storable<Returned>,
  ): StepBuilder<Base, Added, ChainLink<OutputOf<Returned>, {}, {}, true>, Where, Way>;
  startWith<Input, Returned>(
    step: Step<Input, StepContext<Data, Where["item"], Where["undone"]>, Returned> & Storable<Returned>,
    input: InputMap<Data, Where, Input>,
  ): StepBuilder<Base, Added, ChainLink<OutputOf<Returned>, {}, {}, true>, Where, Way>;

  /**
   * Runs a step: a function `(input, ctx) => output`, or a class with such a `run`.
   *
   * `input` makes the step's input from the data; without it the input is the data. It is called once, when the step's turn
   * has come, and every attempt gets what it gave.
   */
  then<Returned>(
    this: NotAPromise,
    step: Step<Data, StepContext<Data, Where["item"], Where["undone"]>, Returned> & Storable<Returned>,
  ): StepBuilder<Base, Added, ChainLink<OutputOf<Returned>, {}, {}, true>, Where, Way>;
  then<Input, Returned>(
    this: NotAPromise,
    step: Step<Input, StepContext<Data, Where["item"], Where["undone"]>, Returned> & Storable<Returned>,
    input: InputMap<Data, Where, Input>,
  ): StepBuilder<Base, Added, ChainLink<OutputOf<Returned>, {}, {}, true>, Where, Way>;

  /** Runs an inline function. The same as {@link then}, for functions alone. */
  thenFn<Returned>(
    step: ((input: Data, ctx: StepContext<Data, Where["item"], Where["undone"]>) => Returned) & Storable<Returned>,
  ): StepBuilder<Base, Added, ChainLink<OutputOf<Returned>, {}, {}, true>, Where, Way>;

  /**
   * Runs another workflow as a child; its final data is the output.
   *
   * A child that fails fails this link; a parent that is terminated terminates its child. Of a definition its own version
   * runs; of an id `version`, or else the highest version that the host has.
   */
  runWorkflow<Result = any>(
    id: string,
    input?: InputMap<Data, Where, unknown>,
    options?: RunWorkflowOptions,
  ): ChildBuilder<Base, Added, ChainLink<Result, {}, {}, true>, Where, Way>;
  runWorkflow<Result>(
    definition: WorkflowDefinition<Data, Result>,
  ): ChildBuilder<Base, Added, ChainLink<Result, {}, {}, true>, Where, Way>;
  runWorkflow<Input, Result>(
    definition: WorkflowDefinition<Input, Result>,
    input: InputMap<Data, Where, Input>,
    options?: RunWorkflowOptions,
  ): ChildBuilder<Base, Added, ChainLink<Result, {}, {}, true>, Where, Way>;

  /**
   * Goes on with what `fragment` makes of this chain: how several workflows share a piece.
   *
   * A fragment is a function from a `WorkflowBuilder<Data>` to what its operators give back, where `Data` is what it needs of
   * the data. A key that exists keeps its type. Modifiers belong into the fragment.
   */
  use<Types extends BodyTypes>(
    fragment: (builder: WorkflowBuilder<Data, {}, NoChainLink, Where, StraightCourse>) => Built<Types>,
  ): WorkflowBuilder<
    Base,
    Added & Types["added"],
    ChainLink<Types["out"], {}, {}, true>,
    Where,
    ChainCourse<
      Way["patched"] & Types["patched"],
      Way["breaks"] | (Types["breaks"] extends true ? Added & Types["added"] : never),
      Way["exits"] | ExitsOf<Added, Types>,
      Types["ends"] extends true ? true : Way["ends"]
    >
  >;
  use<Needs, Types extends BodyTypes>(
    fragment: Fragment<Needs, Types> & Fits<Data, Needs, Types["added"]>,
  ): WorkflowBuilder<
    Base,
    Added & Types["added"],
    ChainLink<Types["out"], {}, {}, true>,
    Where,
    ChainCourse<
      Way["patched"] & Types["patched"],
      Way["breaks"] | (Types["breaks"] extends true ? Added & Types["added"] : never),
      Way["exits"] | ExitsOf<Added, Types>,
      Types["ends"] extends true ? true : Way["ends"]
    >
  >;
}

/** A fragment that was declared elsewhere; written as a method, so that its builder may know less of the data than this one. */
type Fragment<Needs, Types> = { of(builder: FragmentStart<Needs>): Built<Types> }["of"];
/** Nothing, or why the fragment cannot be used here. */
type Fits<Data, Needs, Added> = [Data] extends [Needs]
  ? [Pick<Added, keyof Added & keyof Data>] extends [Pick<Data, keyof Added & keyof Data>]
    ? unknown
    : { readonly "the fragment sets a key that exists, and is of another type": keyof Added & keyof Data }
  : { readonly "the fragment needs data that is not there": Needs };

/**
 * Makes awaiting a builder a type error.
 *
 * Before the compiler takes the owner of a `then` for a promise, it asks whether the owner is a *subtype* of the method's
 * `this`; a call asks for an *assignable* type only. `any` is the one type for which the two differ.
 */
interface NotAPromise {
  readonly "~promise": "a builder is not a promise: do not await it, nor return it from an async function";
}

/** Options of `runWorkflow`. */
export interface RunWorkflowOptions {
  /** The version of the definition. Default: the definition's own, or the highest that the host has. */
  readonly version?: number;
}
