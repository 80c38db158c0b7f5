import type {
  BodyTypes,
  ChainCourse,
  Condition,
  DataFunction,
  ExitsOf,
  GivenBy,
  LeftBy,
  ChainLink,
  Merged,
  NoBody,
  ChainPlace,
} from "./chain-types.ts";
import type { ContainerBuilder } from "./link-builders.ts";
import type { Body } from "./workflow-builder.ts";

/** Operators of which one branch runs. */
export interface Branching<
  Base,
  Added extends object,
  Data,
  Last extends ChainLink,
  Where extends ChainPlace,
  Way extends ChainCourse,
> {
  /**
   * Runs `then` when the condition holds, and `otherwise` (if given) when it does not.
   *
   * Keys that both set are there afterwards, those that one sets are optional. A branch that ends with `endWorkflow` or `fail`
   * does not count.
   */
  ifDo<Then extends BodyTypes, Otherwise extends BodyTypes = NoBody>(
    condition: Condition<Data, Where>,
    then: Body<Data, Where, Then>,
    otherwise?: Body<Data, Where, Otherwise>,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<Then["out"] | Otherwise["out"], {}, Merged<LeftBy<Then> | LeftBy<Otherwise>>, true>,
    Where,
    ChainCourse<
      Way["patched"] & Then["patched"] & Otherwise["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Added, Then> | ExitsOf<Added, Otherwise>,
      [Then["ends"], Otherwise["ends"]] extends [true, true] ? true : Way["ends"]
    >
  >;

  /**
   * Runs the case whose key is the value as text, else `default`; with neither, nothing.
   *
   * Without `value` it decides by the outcome of the step before it: what that step gave to `ExecutionResult.outcome`, or
   * simply its output.
   */
  decide<Value extends Comparable, Cases extends { readonly [Case in keyof Cases]: BodyTypes }>(
    value: DataFunction<Data, Where, Value>,
    cases: CasesOf<Cases, TextOf<Value>, Data, Where>,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<OutOfCases<Cases, TextOf<Value>>, {}, LeftByCases<Cases, TextOf<Value>>, true>,
    Where,
    ChainCourse<
      Way["patched"] & Cases[keyof Cases]["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOfCases<Added, Cases[keyof Cases]>,
      EndsByCases<Cases, TextOf<Value>, Way["ends"]>
    >
  >;
  decide<Cases extends { readonly [Case in keyof Cases]: BodyTypes }>(
    cases: CasesOf<Cases, TextOf<GivenBy<Last>>, Data, Where>,
  ): ContainerBuilder<
    Base,
    Added,
    ChainLink<OutOfCases<Cases, TextOf<GivenBy<Last>>>, {}, LeftByCases<Cases, TextOf<GivenBy<Last>>>, true>,
    Where,
    ChainCourse<
      Way["patched"] & Cases[keyof Cases]["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOfCases<Added, Cases[keyof Cases]>,
      EndsByCases<Cases, TextOf<GivenBy<Last>>, Way["ends"]>
    >
  >;
}

/** What has a text that cases can name. */
type Comparable = string | number | bigint | boolean | null | undefined;
type TextOf<Value> = 0 extends 1 & Value ? string : Value extends Comparable ? `${Value}` : never;

/** The bodies of the cases; a case that no value has is impossible to write. */
type CasesOf<Cases, Text extends string, Data, Where extends ChainPlace> = {
  readonly [Case in keyof Cases]: Body<Data, Where, Cases[Case]>;
} & {
  readonly [
    Case in keyof Cases as `${Case & (string | number)}` extends Nameable<Text> | "default" ? never : Case
  ]: "no value has this text";
};

/** The texts that cases may have. Where only one is known it is a constant, and tells nothing about what it may become. */
type Nameable<Text extends string> = [Text] extends [never]
  ? never
  : {} extends Record<Text, 1>
    ? Text
    : IsUnion<Text> extends true
      ? Text
      : string;
type IsUnion<Type, Whole = Type> = Type extends unknown ? ([Whole] extends [Type] ? false : true) : never;

/** Whether one of the cases is sure to run. */
type IsExhaustive<Cases, Text extends string> = "default" extends keyof Cases
  ? true
  : [Text] extends [`${keyof Cases & (string | number)}`]
    ? true
    : false;
type LeftByCases<Cases extends { readonly [Case in keyof Cases]: BodyTypes }, Text extends string> = Merged<
  { [Case in keyof Cases]: LeftBy<Cases[Case]> }[keyof Cases] | (IsExhaustive<Cases, Text> extends true ? never : {})
>;
type OutOfCases<Cases extends { readonly [Case in keyof Cases]: BodyTypes }, Text extends string> =
  | Cases[keyof Cases]["out"]
  | (IsExhaustive<Cases, Text> extends true ? never : undefined);
type ExitsOfCases<Added, Types> = Types extends BodyTypes ? ExitsOf<Added, Types> : never;
type EndsByCases<
  Cases extends { readonly [Case in keyof Cases]: BodyTypes },
  Text extends string,
  Before extends boolean,
> = IsExhaustive<Cases, Text> extends true ? (Cases[keyof Cases]["ends"] extends true ? true : Before) : Before;
