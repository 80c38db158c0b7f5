import type {
  BodyTypes,
  Built,
  ChainCourse,
  Condition,
  DataFunction,
  DataOf,
  ExitsOf,
  ChainLink,
  NoChainLink,
  Perhaps,
  ChainPlace,
  StraightCourse,
  Surely,
} from "./chain-types.ts";
import type { ContainerBuilder } from "./link-builders.ts";
import type { FittingKey, Rekeyed } from "./step-types.ts";
import type { Body, WorkflowBuilder } from "./workflow-builder.ts";

/** Operators that repeat a body. */
export interface Looping<Base, Added extends object, Data, Where extends ChainPlace, Way extends ChainCourse> {
  /**
   * Runs the body as long as the condition holds; not at all when it does not hold at first. `index` counts the iterations; in
   * the condition it says how many were made.
   *
   * Keys that the body sets are optional afterwards.
   */
  whileDo<Types extends BodyTypes>(
    condition: Condition<Data, Where>,
    body: Body<Data, Where, Types>,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<Types["out"] | undefined, {}, Perhaps<Types>, true>,
    Where,
    ChainCourse<Way["patched"] & Types["patched"], Way["breaks"], Way["exits"] | ExitsOf<Added, Types>, Way["ends"]>
  >;

  /**
   * Runs the body, and again as long as the condition, which sees its keys, holds. `index` counts the iterations; in the
   * condition it says how many were made.
   */
  doWhile<Types extends BodyTypes>(
    body: Body<Data, Where, Types>,
    condition: Condition<DataOf<Data, Types["added"]>, Where>,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<Types["out"], {}, Surely<Types>, true>,
    Where,
    ChainCourse<
      Way["patched"] & Types["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Added, Types>,
      Types["ends"] extends true ? true : Way["ends"]
    >
  >;

  /**
   * Runs the body for each item, several at a time.
   *
   * The collection is fixed on entry. Inside, `ctx.item` (and `at.item`) is the item; keys by `.as` are the item's own, and
   * `.output` patches the workflow's data. What leaves is `as`: the bodies' last outputs, in the order of the items.
   */
  forEach<Item, Types extends BodyTypes, const Key extends string = never>(
    items: DataFunction<Data, Where, Iterable<Item>>,
    body: (
      builder: WorkflowBuilder<Data, {}, NoChainLink, ChainPlace<Item, Where["undone"], never>, StraightCourse>,
    ) => Built<Types>,
    options?: ForEachOptions<Key extends keyof Data ? FittingKey<Key, Data, Types["out"][]> : Key>,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<
      [Key] extends [never] ? undefined : Types["out"][],
      {},
      Partial<Types["patched"]> & ([Key] extends [never] ? {} : Rekeyed<Key, Data, Types["out"][]>),
      true
    >,
    Where,
    ChainCourse<
      Way["patched"] & Partial<Types["patched"]>,
      Way["breaks"],
      Way["exits"] | ([Types["exits"]] extends [never] ? never : Added),
      Way["ends"]
    >
  >;
}

/** Options of `forEach`. */
export interface ForEachOptions<Key extends string = string> {
  /** Items at the same time; 1 takes one after the other. Default 16. */
  readonly concurrency?: number;
  /** Key of the data that takes the bodies' last outputs, in the order of the items. */
  readonly as?: Key;
  /** When an item fails: `"cancel"` the others (default), or `"wait"` until they have ended. The link fails either way. */
  readonly onFailure?: "cancel" | "wait";
}
