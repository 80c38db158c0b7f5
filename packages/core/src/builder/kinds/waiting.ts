import type { EventType } from "../../definition/event-type.ts";
import type { AwaitedEvent, WaitNode } from "../../definition/nodes.ts";
import { type Check, given } from "../assemble/check.ts";
import { shown } from "../names.ts";
import { sketch, type BodySketch, type Sketch } from "../sketch.ts";

/** The bodies among the options of a wait, already run. */
export interface WaitBodies {
  readonly onTimeout?: BodySketch;
  readonly remind?: BodySketch;
}

export function waitSketch(
  mode: WaitNode["mode"],
  events: unknown,
  key: unknown,
  options: unknown,
  bodies: WaitBodies,
): Sketch {
  const { onTimeout, remind } = bodies;
  const operator = { one: "`waitFor`", any: "`waitForAny`", all: "`waitForAll`" }[mode];
  const own: [string, BodySketch][] = [];
  if (onTimeout !== undefined) own.push(["onTimeout", onTimeout]);
  if (remind !== undefined) own.push(["remind", remind]);
  return sketch("wait", undefined, own, (check) => {
    const given_ = check.options(options, ["timeout", "onTimeout", "remind", "asOf"], operator);
    if (onTimeout !== undefined && given_.timeout === undefined) {
      check.problem("`onTimeout` has no effect without `timeout`");
    }
    return {
      mode,
      events: Object.freeze(
        mode === "one" ? [awaited(check, "", events, key)] : awaitedByLabel(check, operator, events, key),
      ),
      ...given(
        "timeout",
        given_.timeout === undefined ? undefined : check.value(given_.timeout, "`timeout`", check.milliseconds),
      ),
      ...given("onTimeout", onTimeout === undefined ? undefined : check.block("onTimeout")),
      ...given("remind", given_.remind === undefined ? undefined : checkRemind(check, given_.remind)),
      asOf: checkAsOf(check, given_.asOf),
    };
  });
}

function awaitedByLabel(check: Check, operator: string, events: unknown, key: unknown): AwaitedEvent[] {
  if (typeof events !== "object" || events === null || Array.isArray(events)) {
    check.problem(`${operator} takes an object of events, such as \`{ approved, rejected }\`, got ${shown(events)}`);
    return [];
  }
  const entries = Object.entries(events);
  if (entries.length === 0) check.problem(`${operator} waits for nothing: give it at least one event`);
  const everyHasKey = entries.length > 0 && entries.every(([, event]) => isKeyed(event));
  if (everyHasKey && key !== undefined) check.problem("the `key` has no effect, for every event has its own");
  return entries.map(([label, event]) => {
    check.dataKey(label, `the label ${shown(label)}`);
    if (!isKeyed(event)) return awaited(check, label, event, key);
    check.options(event, ["event", "key"], `event \`${label}\``);
    return awaited(check, label, event.event, event.key);
  });
}

/** Whether it is `{ event, key }`, and not an event. */
function isKeyed(event: unknown): event is { readonly event: unknown; readonly key: unknown } {
  return typeof event === "object" && event !== null && "event" in event;
}

function awaited(check: Check, label: string, event: unknown, key: unknown): AwaitedEvent {
  const of = label === "" ? "" : ` of \`${label}\``;
  const typed = typeof event === "object" && event !== null ? (event as Partial<EventType>) : undefined;
  if (typed === undefined && typeof event !== "string") {
    check.problem(`the event${of} must be made by \`event(name)\`, or be a name, got ${shown(event)}`);
    return { label, name: "", key: "" };
  }
  if (key === undefined)
    check.problem(`the event${of} has no key: give one, "" if there is nothing to tell events apart by`);
  return Object.freeze({
    label,
    name: check.name(typed === undefined ? event : typed.name, `the name of the event${of}`),
    key: key === undefined ? "" : check.value(key, `the key${of}`, check.key),
    ...given("schema", typed?.schema),
  });
}

function checkRemind(check: Check, remind: unknown): NonNullable<WaitNode["remind"]> {
  const { every } = check.options(remind, ["every", "do"], "`remind`");
  if (every === undefined) check.problem("`remind` needs `every`: how long until the next reminder");
  const checked = every === undefined ? 1 : check.value(every, "`remind.every`", check.milliseconds);
  if (checked === 0) check.problem("`remind.every` must be longer than 0");
  return Object.freeze({ every: checked, do: check.filledBlock("remind", "`remind.do`") });
}

function checkAsOf(check: Check, asOf: unknown = "start"): WaitNode["asOf"] {
  if (!(asOf instanceof Date)) return check.oneOf(asOf, ["start", "now", "beginning"], "`asOf` (or a Date)");
  return validDate(check, asOf, "`asOf`");
}

/** A copy, for a Date can be changed. */
function validDate(check: Check, date: Date, what: string): Date {
  if (Number.isNaN(date.getTime())) check.problem(`${what} is not a valid date`);
  return new Date(date);
}

export function delaySketch(duration: unknown): Sketch {
  return sketch("delay", undefined, [], (check) => ({
    duration: check.value(duration, "the duration of `delay`", check.milliseconds),
  }));
}

export function sleepUntilSketch(date: unknown): Sketch {
  return sketch("sleep-until", undefined, [], (check) => ({
    date: check.value(date, "the date of `sleepUntil`", (value, what) => {
      if (value instanceof Date) return validDate(check, value, what);
      if (!Number.isFinite(value))
        check.problem(`${what} must be a Date, or milliseconds since the epoch, got ${shown(value)}`);
      return value as number;
    }),
  }));
}
