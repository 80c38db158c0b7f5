import type { At } from "../../definition/step-context.ts";

/*
 * The type of a chain is made of a few parts, each of which grows by intersection or union along the chain. Nothing is
 * simplified on the way: the flat type that people read is made in the parameters of their functions alone (`DataOf`).
 *
 * Two things that cost the compiler dearly were measured here. A type alias that stands for an interface (`type A<T> = I<T>`)
 * is resolved late, and in a chain the delays nest until the compiler gives up after some fifty links: such types are
 * written out. And a conditional type that mentions both the data and a type parameter of the method copies the data several
 * times per link: where it can, a check asks for the keys alone.
 */

/** Where a chain stands; the same from its first link to its last. `Start` is what the workflow is started with, never in a body. */
export interface ChainPlace<Item = any, Undone = any, Start = any> {
  readonly item: Item;
  readonly undone: Undone;
  readonly start: Start;
}

/**
 * What became of a chain besides its keys.
 *
 * `Patched`: new keys by `.output`, which leave a `forEach` although keys by `.as` do not. `Breaks` and `Exits`: the keys
 * that are there where the body, or the whole workflow, may end early. `Ends`: nothing after this point runs.
 */
export interface ChainCourse<Patched extends object = any, Breaks = any, Exits = any, Ends extends boolean = boolean> {
  readonly patched: Patched;
  readonly breaks: Breaks;
  readonly exits: Exits;
  readonly ends: Ends;
}
/** The course of a chain on which nothing has happened yet. */
export interface StraightCourse extends ChainCourse<{}, never, never, false> {}

/**
 * The last link: its output, and the keys that it sets by `.as` and otherwise. `Sure`: whether there is an output whenever
 * the chain goes on after it; not after `"ignore"`, `"compensate"` and `cancelWhen(..., { proceed: true })`.
 */
export interface ChainLink<
  Out = any,
  As extends object = any,
  Keys extends object = any,
  Sure extends boolean = boolean,
> {
  readonly out: Out;
  readonly as: As;
  readonly keys: Keys;
  readonly sure: Sure;
}
/** What a body begins with: no link yet. */
export interface NoChainLink extends ChainLink<undefined, {}, {}, true> {}
/** What the last link gives to whoever asks for its output: a following `decide`, or the `forEach` around. */
export type GivenBy<Last extends ChainLink> = Last["sure"] extends true ? Last["out"] : Last["out"] | undefined;

/** What a body tells the container around it; all that is ever inferred from a builder. */
export interface BodyTypes<
  Added extends object = any,
  Patched extends object = any,
  Breaks extends boolean = boolean,
  Exits = any,
  Ends extends boolean = boolean,
  Out = any,
> {
  readonly added: Added;
  readonly patched: Patched;
  readonly breaks: Breaks;
  readonly exits: Exits;
  readonly ends: Ends;
  readonly out: Out;
}
/** The body that is not there. */
export interface NoBody extends BodyTypes<{}, {}, false, never, false, undefined> {}

/** A builder, of which only the types of the body are of interest. */
export interface Built<Types> {
  readonly "~types": Types;
}

/** One flat object type, for people to read. */
type Simplify<Type> = { [Key in keyof Type]: Type[Key] } & {};

/** The data as functions see it. */
export type DataOf<Base, Added> = [keyof Added] extends [never] ? Base : Simplify<Base & Added>;

/** A small pure synchronous function of the data. */
export type DataFunction<Data, Where extends ChainPlace, Result> = (data: Data, at: At<Where["item"]>) => Result;
/** A condition. What is missing counts as false, so that `data.approval?.granted` is one. */
export type Condition<Data, Where extends ChainPlace> = DataFunction<Data, Where, boolean | null | undefined>;
/** A constant, or a function of the data. */
export type Value<Data, Where extends ChainPlace, Type> = Type | DataFunction<Data, Where, Type>;

/** The types of the body that a chain is, from its parts. */
export type TypesOf<Added extends object, Out, Way extends ChainCourse> = [Way["breaks"]] extends [never]
  ? BodyTypes<Added, Way["patched"], false, Way["exits"], Way["ends"], Out>
  : BodyTypes<Merged<Added | Way["breaks"]>, Way["patched"], true, Way["exits"], Way["ends"], Out | undefined>;

/** The data that a workflow may end with. */
export type ResultOf<Base, Added, Way extends ChainCourse> = [Way["breaks"] | Way["exits"]] extends [never]
  ? DataOf<Base, Added>
  : Simplify<Base & Merged<(Way["ends"] extends true ? never : Added) | Way["breaks"] | Way["exits"]>>;

/** Of several possible sets of keys, one of which it will be: those in all of them are there, others are optional. */
export type Merged<Sets> = [Sets] extends [never]
  ? {}
  : Pick<Sets, keyof Sets> & { [Key in Exclude<KeyOfAny<Sets>, keyof Sets>]?: ValueOfAny<Sets, Key> };
type KeyOfAny<Sets> = Sets extends unknown ? keyof Sets : never;
type ValueOfAny<Sets, Key> = Sets extends unknown ? (Key extends keyof Sets ? Sets[Key] : never) : never;

/** The keys that a body leaves, if anything follows it: never, when nothing does. */
export type LeftBy<Body extends BodyTypes> = Body["ends"] extends true ? never : Body["added"];
/** The keys of a body that runs. */
export type Surely<Body extends BodyTypes> = Body["ends"] extends true ? {} : Body["added"];
/** The keys of a body that may run. */
export type Perhaps<Body extends BodyTypes> = Body["ends"] extends true ? {} : Partial<Body["added"]>;
/** The exits of a body, for the chain around it. `Added` are the chain's keys before the body. */
export type ExitsOf<Added, Body extends BodyTypes> = [Body["exits"]] extends [never] ? never : Added & Body["exits"];
