import type { Branching } from "./branching.ts";
import type { Built, ChainCourse, DataOf, ChainLink, NoChainLink, ChainPlace, StraightCourse } from "./chain-types.ts";
import type { Ending } from "./ending.ts";
import type { Joining } from "./joining.ts";
import type { Looping } from "./looping.ts";
import type { Running } from "./running.ts";
import type { Waiting } from "./waiting.ts";

/**
 * A chain of links, to which every operator adds one and gives back the longer chain. The chain itself never changes, so its
 * beginning may be used again.
 *
 * `Data` is what the data was at the beginning, `Added` the keys that the chain has added to it. A function from a
 * `WorkflowBuilder<Data>` to what its operators give back is a fragment for `use`.
 */
export interface WorkflowBuilder<
  Data = any,
  Added extends object = {},
  Last extends ChainLink = NoChainLink,
  Where extends ChainPlace = ChainPlace,
  Way extends ChainCourse = StraightCourse,
>
  extends
    Running<Data, Added, DataOf<Data, Added>, Where, Way>,
    Branching<Data, Added, DataOf<Data, Added>, Last, Where, Way>,
    Looping<Data, Added, DataOf<Data, Added>, Where, Way>,
    Joining<Data, Added, DataOf<Data, Added>, Where, Way>,
    Waiting<Data, Added, DataOf<Data, Added>, Where, Way>,
    Ending<Data, Added, DataOf<Data, Added>, Last, Where, Way> {
  /**
   * Only types: makes two builders comparable at a glance. It must stay the first member, for the compiler stops at the first
   * that differs; without it, it would compare all the others, and theirs, for minutes.
   */
  readonly "~exact": (chain: [Data, Added, Last, Where, Way]) => [Data, Added, Last, Where, Way];
  /** Only types: the data here, for fragments. */
  readonly "~data": DataOf<Data, Added>;
}

/** What is asked of a builder for a fragment that begins with `Data`. */
export interface FragmentStart<Data> {
  readonly "~data": Data;
}

/** The body of a container: gives back what it made of the builder that it was given. */
export type Body<Data, Where extends ChainPlace, Types> = (
  builder: WorkflowBuilder<Data, {}, NoChainLink, ChainPlace<Where["item"], Where["undone"], never>, StraightCourse>,
) => Built<Types>;
