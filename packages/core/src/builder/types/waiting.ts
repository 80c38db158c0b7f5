import type { EventType } from "../../definition/event-type.ts";
import type { Duration } from "../../duration.ts";
import type { BodyTypes, ChainCourse, ExitsOf, ChainLink, NoBody, Perhaps, ChainPlace, Value } from "./chain-types.ts";
import type { ContainerBuilder, WaitBuilder } from "./link-builders.ts";
import type { Body } from "./workflow-builder.ts";

/** Operators that wait, for as long as it takes: parked in the store, not in memory. */
export interface Waiting<Base, Added extends object, Data, Where extends ChainPlace, Way extends ChainCourse> {
  /**
   * Waits for an event of this name and key; its payload is the output.
   *
   * By default every event since the start of the workflow counts, so one that came before the wait is not lost; each is read
   * once, in order. When `timeout` has passed `onTimeout` runs, and the output is `undefined`; without `onTimeout` the link
   * fails with `WaitTimeoutError`.
   */
  waitFor<Payload = any, OnTimeout extends BodyTypes = NoBody, Remind extends BodyTypes = NoBody>(
    event: EventType<Payload> | string,
    key: Value<Data, Where, string>,
    options: WaitForOptionsWithOnTimeout<Data, Where, Remind, OnTimeout>,
  ): WaitBuilder<
    Base,
    Added,
    ChainLink<OutputOrTimeout<Payload, OnTimeout>, {}, Perhaps<OnTimeout> & Perhaps<Remind>, true>,
    Where,
    ChainCourse<
      Way["patched"] & OnTimeout["patched"] & Remind["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Added, OnTimeout> | ExitsOf<Added, Remind>,
      Way["ends"]
    >
  >;
  waitFor<Payload = any, Remind extends BodyTypes = NoBody>(
    event: EventType<Payload> | string,
    key: Value<Data, Where, string>,
    options?: WaitForOptions<Data, Where, Remind>,
  ): WaitBuilder<
    Base,
    Added,
    ChainLink<Payload, {}, Perhaps<Remind>, true>,
    Where,
    ChainCourse<Way["patched"] & Remind["patched"], Way["breaks"], Way["exits"] | ExitsOf<Added, Remind>, Way["ends"]>
  >;

  /**
   * Waits for the first of several events; the output is `{ which, payload }`.
   *
   * `key` is for the events that have none of their own: a value may be `{ event, key }`. The oldest event by the store's time
   * wins, and the others stay to be read.
   */
  waitForAny<
    const Events extends AwaitedEvents<Data, Where>,
    OnTimeout extends BodyTypes,
    Remind extends BodyTypes = NoBody,
  >(
    events: Events,
    key: Value<Data, Where, string> | undefined,
    options: WaitForOptionsWithOnTimeout<Data, Where, Remind, OnTimeout>,
  ): WaitBuilder<
    Base,
    Added,
    ChainLink<OutputOrTimeout<AnyOf<Events>, OnTimeout>, {}, Perhaps<OnTimeout> & Perhaps<Remind>, true>,
    Where,
    ChainCourse<
      Way["patched"] & OnTimeout["patched"] & Remind["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Added, OnTimeout> | ExitsOf<Added, Remind>,
      Way["ends"]
    >
  >;
  waitForAny<const Events extends AwaitedEvents<Data, Where>, Remind extends BodyTypes = NoBody>(
    events: Events,
    key?: Value<Data, Where, string>,
    options?: WaitForOptions<Data, Where, Remind>,
  ): WaitBuilder<
    Base,
    Added,
    ChainLink<AnyOf<Events>, {}, Perhaps<Remind>, true>,
    Where,
    ChainCourse<Way["patched"] & Remind["patched"], Way["breaks"], Way["exits"] | ExitsOf<Added, Remind>, Way["ends"]>
  >;

  /** Waits for all of several events; the output is an object of their payloads. Otherwise like {@link waitForAny}. */
  waitForAll<
    const Events extends AwaitedEvents<Data, Where>,
    OnTimeout extends BodyTypes,
    Remind extends BodyTypes = NoBody,
  >(
    events: Events,
    key: Value<Data, Where, string> | undefined,
    options: WaitForOptionsWithOnTimeout<Data, Where, Remind, OnTimeout>,
  ): WaitBuilder<
    Base,
    Added,
    ChainLink<OutputOrTimeout<AllOf<Events>, OnTimeout>, {}, Perhaps<OnTimeout> & Perhaps<Remind>, true>,
    Where,
    ChainCourse<
      Way["patched"] & OnTimeout["patched"] & Remind["patched"],
      Way["breaks"],
      Way["exits"] | ExitsOf<Added, OnTimeout> | ExitsOf<Added, Remind>,
      Way["ends"]
    >
  >;
  waitForAll<const Events extends AwaitedEvents<Data, Where>, Remind extends BodyTypes = NoBody>(
    events: Events,
    key?: Value<Data, Where, string>,
    options?: WaitForOptions<Data, Where, Remind>,
  ): WaitBuilder<
    Base,
    Added,
    ChainLink<AllOf<Events>, {}, Perhaps<Remind>, true>,
    Where,
    ChainCourse<Way["patched"] & Remind["patched"], Way["breaks"], Way["exits"] | ExitsOf<Added, Remind>, Way["ends"]>
  >;

  /** Goes on after this long: milliseconds, or a text such as `"1h"`. */
  delay(
    duration: Value<Data, Where, Duration>,
  ): ContainerBuilder<Base, Added, ChainLink<undefined, {}, {}, true>, Where, Way>;

  /** Goes on at this time: a `Date`, or milliseconds since the epoch. At once when it has passed. */
  sleepUntil(
    date: Value<Data, Where, Date | number>,
  ): ContainerBuilder<Base, Added, ChainLink<undefined, {}, {}, true>, Where, Way>;
}

/** Options of the waits. */
export interface WaitForOptions<Data, Where extends ChainPlace, Remind = BodyTypes> {
  /** How long to wait. Default: for ever. */
  readonly timeout?: Value<Data, Where, Duration>;
  /** What runs again and again while the wait lasts. */
  readonly remind?: {
    /** Counted from the beginning of the wait. */
    readonly every: Value<Data, Where, Duration>;
    readonly do: Body<Data, Where, Remind>;
  };
  /**
   * Which events count, until this line of control has read from the stream: those since the `"start"` of the workflow
   * (default), from `"now"` on, from the `"beginning"` (as far as retention has left them), or since a date.
   */
  readonly asOf?: "start" | "now" | "beginning" | Date;
}
interface WaitForOptionsWithOnTimeout<Data, Where extends ChainPlace, Remind, OnTimeout> extends WaitForOptions<
  Data,
  Where,
  Remind
> {
  readonly timeout: Value<Data, Where, Duration>;
  /** What runs when the time-out has passed, in place of failing. */
  readonly onTimeout: Body<Data, Where, OnTimeout>;
}
/** Nothing follows a time-out whose body ends the workflow. */
type OutputOrTimeout<Out, OnTimeout extends BodyTypes> = OnTimeout["ends"] extends true ? Out : Out | undefined;

/** What `waitForAny` and `waitForAll` wait for, by labels of the caller's choice. */
interface AwaitedEvents<Data, Where extends ChainPlace> {
  readonly [label: string]:
    | EventType
    | string
    | { readonly event: EventType | string; readonly key: Value<Data, Where, string> };
}
type PayloadOf<Awaited> =
  Awaited extends EventType<infer Payload>
    ? Payload
    : Awaited extends { readonly event: infer Event }
      ? PayloadOf<Event>
      : any;
type AnyOf<Events> = { [Label in keyof Events]: { which: Label; payload: PayloadOf<Events[Label]> } }[keyof Events];
type AllOf<Events> = { -readonly [Label in keyof Events]: PayloadOf<Events[Label]> };
