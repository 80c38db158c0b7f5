import type { At, StepContext } from "../../definition/step-context.ts";
import type { DataOf, ChainLink, ChainPlace } from "./chain-types.ts";

/**
 * A step's body: a function, or a class with a `run` method, of which each attempt makes an instance.
 *
 * `run` is written as a property: the parameters of a method are compared in both directions, and a class could then ask for
 * data that is not there.
 */
export type Step<Input, Context, Returned> =
  | ((input: Input, ctx: Context) => Returned)
  | (new (...services: any[]) => { run: (input: Input, ctx: Context) => Returned });

/** Anything that `then` takes, for libraries that make steps. A step may ask for less than `StepContext`, not for more. */
export type StepLike<Input = any, Output = unknown> = Step<Input, StepContext, Output>;

/**
 * Makes an input from the data. Synchronous, like every function of the data.
 *
 * The conditional type makes the compiler read `Input` off the step before it looks at the map, so that `{ kind: "a" }` is
 * not widened to `{ kind: string }` on the way.
 */
export type InputMap<Data, Where extends ChainPlace, Input> = [Input] extends [infer Known]
  ? (data: Data, at: At<Where["item"]>) => unknown extends Known ? Synchronous : Known
  : never;
type Synchronous = string | number | bigint | boolean | null | undefined | (object & { readonly then?: never });

/** A key that exists, or what is wrong with the output that shall go there. */
export type FittingKey<Key, Data, Out> = Key extends keyof Data
  ? [Out] extends [Data[Key]]
    ? Key
    : `the output does not fit the type of data.${Key & string}`
  : never;

/** What `.as` adds. */
export type Keyed<Key extends string, Out, Sure> = Sure extends true ? { [Name in Key]: Out } : { [Name in Key]?: Out };

/** What `.as` adds when the key exists: it keeps its type, but is no longer optional. */
export type Rekeyed<Key extends string, Data, Out, Sure = true> = Keyed<
  Key,
  Key extends keyof Data
    ? string extends keyof Data
      ? Out
      : undefined extends Out
        ? Data[Key]
        : {} extends Pick<Data, Key>
          ? Exclude<Data[Key], undefined>
          : Data[Key]
    : Out,
  Sure
>;

/** Nothing, or what is wrong with the patch of `.output`. A key that exists keeps its type. */
export type FittingPatch<Patch, Data> = Patch extends { readonly then: unknown }
  ? { readonly "an output map is synchronous, and must not give a promise": never }
  : [keyof Patch & keyof Data] extends [never]
    ? unknown
    : Pick<Data, keyof Patch & keyof Data>;

/** What `.output` adds: the patch, without the keys that exist. */
export type NewKeys<Patch, Taken> = [keyof Patch & Taken] extends [never]
  ? Patch
  : string extends Taken
    ? Patch
    : Omit<Patch, Taken & PropertyKey>;

/** The keys of `.output`. */
export type Patched<Keys extends object, Sure> = Sure extends true ? Keys : Partial<Keys>;

/** The data while the link is live or was left: its own keys are optional. */
export type DataDuring<Base, Before, Last extends ChainLink> = DataOf<
  DataOf<Base, Before>,
  Partial<Last["as"] & Last["keys"]>
>;
