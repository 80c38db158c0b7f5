import * as z from "zod";
import { inputs, modifiers, ofBodies, ofEveryStep, outputs } from "./modifiers.ts";
import { anySteps, anything, condition, count, durationOrExpression, scalar, steps, text, word } from "./values.ts";

const common = { ...ofEveryStep, ...modifiers };
const key = scalar.describe("The key that events are told apart by; may hold `${{ }}`");
const asOf = z
  .union([word(["start", "now", "beginning"]), text])
  .meta({ expected: "`start`, `now`, `beginning` or a date" })
  .optional()
  .describe("Which events count before this line of control has read any; `start` (of the workflow) by default");
const onTimeout = anySteps.optional().describe("Steps that run when the time is over; without them the step fails");
const remind = z
  .strictObject({ every: durationOrExpression, do: steps })
  .optional()
  .describe("Steps that run again and again while nothing has come");
const events = z
  .record(z.string(), z.strictObject({ event: text.min(1), key }))
  .meta({ expected: "names with `{ event, key }`" });
const eventsConfig = z.strictObject({ events, timeout: durationOrExpression.optional(), as_of: asOf, remind });

/** A step without a body of its own, by what `type` says. `sequence` and `parallel` have no `type`. */
export const kinds = {
  sequence: z
    .strictObject({ ...common, steps })
    .meta({ title: "Sequence", description: "Runs steps one after the other." }),
  parallel: z
    .strictObject({ ...common, parallel: steps })
    .meta({ title: "Parallel", description: "Runs steps at the same time and waits for all of them." }),
  if: z
    .strictObject({ ...common, type: z.literal("if"), steps, else: anySteps.optional() })
    .meta({ title: "If", description: "Runs `steps` where `when` is true, else those of `else`." }),
  while: z
    .strictObject({ ...common, type: z.literal("while"), when: condition, steps })
    .meta({ title: "While", description: "Runs steps again and again while `when` is true." }),
  do_while: z
    .strictObject({ ...common, type: z.literal("do_while"), when: condition, steps })
    .meta({ title: "Do while", description: "Runs steps once, and again while `when` is true." }),
  saga: z.strictObject({ ...common, type: z.literal("saga"), steps }).meta({
    title: "Saga",
    description: "Runs steps, and undoes them by their `compensate`, newest first, when one fails.",
  }),
  for_each: z
    .strictObject({
      ...common,
      type: z.literal("for_each"),
      items: z.union([z.array(z.unknown()), text]).meta({ expected: "a list, or `${{ }}` that comes to one" }),
      concurrency: count.optional().describe("Items at the same time; 16 by default, 1 is one after the other"),
      as: text.min(1).optional().describe("Key of the data that takes the items' last outputs, in order"),
      steps,
    })
    .meta({ title: "For each", description: "Runs steps for every item of a list." }),
  decide: z
    .strictObject({
      ...common,
      type: z.literal("decide"),
      value: scalar.describe("`${{ }}`; its value as text chooses the case"),
      cases: z.record(z.string(), anySteps).meta({ expected: "values with lists of steps, and `default`" }),
    })
    .meta({ title: "Decide", description: "Runs the steps of the case that a value names, or of `default`." }),
  wait_for: z
    .strictObject({
      ...common,
      type: z.literal("wait_for"),
      config: z.strictObject({
        event: text.min(1).describe("The event's name"),
        key,
        timeout: durationOrExpression.optional(),
        as_of: asOf,
        remind,
      }),
      on_timeout: onTimeout,
      outputs: outputs.optional(),
    })
    .meta({
      title: "Wait for an event",
      description: "Waits until an event of this name and key is published. Its payload is the output.",
    }),
  wait_for_any: z
    .strictObject({
      ...common,
      type: z.literal("wait_for_any"),
      config: eventsConfig,
      on_timeout: onTimeout,
      outputs: outputs.optional(),
    })
    .meta({ title: "Wait for any event", description: "Waits for the first of several events." }),
  wait_for_all: z
    .strictObject({
      ...common,
      type: z.literal("wait_for_all"),
      config: eventsConfig,
      on_timeout: onTimeout,
      outputs: outputs.optional(),
    })
    .meta({ title: "Wait for all events", description: "Waits for several events, all of them." }),
  delay: z
    .strictObject({ ...common, type: z.literal("delay"), config: z.strictObject({ duration: durationOrExpression }) })
    .meta({ title: "Delay", description: "Waits for a while; nothing runs meanwhile, and a restart does not matter." }),
  sleep_until: z
    .strictObject({
      ...common,
      type: z.literal("sleep_until"),
      config: z.strictObject({
        date: z.union([z.string(), z.number()]).meta({ expected: "a date such as 2030-01-31T12:00:00Z, or `${{ }}`" }),
      }),
    })
    .meta({ title: "Sleep until", description: "Waits until a date." }),
  end: z
    .strictObject({ ...ofEveryStep, type: z.literal("end") })
    .meta({ title: "End", description: "Completes the workflow here." }),
  fail: z
    .strictObject({
      ...ofEveryStep,
      type: z.literal("fail"),
      config: z.strictObject({ message: scalar.describe("May hold `${{ }}`") }),
    })
    .meta({ title: "Fail", description: "Fails the workflow here." }),
  workflow: z
    .strictObject({
      ...common,
      type: z.literal("workflow"),
      config: z.strictObject({
        workflow: text.min(1).describe("The id of a workflow of this file, or of the host"),
        workflow_version: count.optional(),
        version: count.optional().describe("The same as `workflow_version`"),
      }),
      inputs: inputs.optional().describe("What it is started with; the whole data by default"),
      outputs: outputs.optional().describe("What of its data is taken over; by default its outputs"),
    })
    .meta({ title: "Workflow", description: "Runs another workflow as a child." }),
};
export type Kinds = typeof kinds;
export type KindName = keyof Kinds;

/** Keys of a step whose body a registered type runs; `config` is the type's own affair. */
export const body = z.strictObject({
  ...common,
  ...ofBodies,
  type: text.optional(),
  run: text.optional().describe("A shell script: short for `type: shell` and `config: { run }`"),
  config: anything.optional(),
  inputs: inputs.optional().describe("Values of the step's own"),
  outputs: outputs.optional().describe("Values that the step gives"),
});
