import type { WorkflowDefinition } from "../../definition/definition.ts";
import type {
  BodyTypes,
  ChainCourse,
  GivenBy,
  ChainLink,
  Merged,
  ChainPlace,
  ResultOf,
  TypesOf,
  Value,
} from "./chain-types.ts";
import type { Naming } from "./modifiers.ts";

/** How a chain ends. */
export interface Ending<
  Base,
  Added extends object,
  Data,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> extends Buildable<Base, Added, Where, Way> {
  /** Only types: what the container around this body infers. */
  readonly "~types": TypesOf<Added, GivenBy<Last>, Way>;

  /** Completes the workflow here, whatever is around. At the end of the chain it changes nothing. */
  endWorkflow(): EndedBuilder<Base, Added, Where, Way, Added>;

  /** Fails the workflow here, with this message. */
  fail(message: Value<Data, Where, string>): EndedBuilder<Base, Added, Where, Way, never>;
}

/** After `endWorkflow` and `fail`: nothing follows. */
export interface EndedBuilder<Base, Added extends object, Where extends ChainPlace, Way extends ChainCourse, Exit>
  extends Buildable<Base, Added, Where, Way>, Naming {
  /** Only types: what the container around this body infers. */
  readonly "~types": [Way["breaks"]] extends [never]
    ? BodyTypes<{}, Way["patched"], false, Way["exits"] | Exit, true, never>
    : BodyTypes<Merged<Way["breaks"]>, Way["patched"], true, Way["exits"] | Exit, false, undefined>;
}

/** What can be made into a definition: a chain that begins with `workflow`, not the body of a container. */
interface Buildable<Base, Added extends object, Where extends ChainPlace, Way extends ChainCourse> {
  /** Only types. */
  readonly "~whole": [Where["start"]] extends [never] ? false : true;

  /**
   * Checks the whole chain and makes the definition, frozen.
   *
   * Throws `InvalidDefinitionError` with all problems there are. Running workflows find their definition by `id` (at most 512
   * bytes) and `version` (a whole number from 1): raise the version whenever the structure changes.
   */
  build(
    this: WholeWorkflow,
    id: string,
    version: number,
    options?: BuildOptions,
  ): WorkflowDefinition<Where["start"], ResultOf<Base, Added, Way>>;
}
interface WholeWorkflow {
  readonly "~whole": true;
}

/** Options of `build`. */
export interface BuildOptions {
  /** For people; not part of the hash. */
  readonly description?: string;
}
