import type { BodyTypes, Built, NoChainLink, ChainPlace, StraightCourse } from "./chain-types.ts";
import type { WorkflowBuilder } from "./workflow-builder.ts";

/** The branches of a `parallel`. */
export interface ParallelBuilder<
  Data,
  Where extends ChainPlace,
  Added extends object = {},
  Patched extends object = {},
  Exits = never,
  Ends extends boolean = false,
> {
  /** Only types: what the container infers. */
  readonly "~types": BodyTypes<Added, Patched, false, Exits, Ends, undefined>;

  /** Adds a branch. It sees the data as it was before the `parallel`, not what its neighbours set. */
  branch<Types extends BodyTypes>(
    body: (
      builder: WorkflowBuilder<
        Data,
        {},
        NoChainLink,
        ChainPlace<Where["item"], Where["undone"], never>,
        StraightCourse
      >,
    ) => Built<Types> & OwnKeys<keyof Types["added"] & keyof Added>,
  ): ParallelBuilder<
    Data,
    Where,
    Added & Types["added"],
    Patched & Types["patched"],
    Exits | Types["exits"],
    Types["ends"] extends true ? true : Ends
  >;
}

/** Nothing, or the keys that another branch sets as well. */
type OwnKeys<Common> = [Common] extends [never] ? unknown : { readonly "another branch sets the same key": Common };
