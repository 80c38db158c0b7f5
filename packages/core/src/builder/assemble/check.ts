import type { Block, Expression } from "../../definition/nodes.ts";
import { parseDuration, type Duration } from "../../duration.ts";
import { InvalidOptionError, type DefinitionProblem } from "../../errors.ts";
import { isAsyncFunction } from "../functions.ts";
import { keyProblem, nameProblem, shown } from "../names.ts";

/**
 * Checks what was given for one node. Nothing is thrown: problems are collected, and each check gives back its value, for
 * a definition with problems is never made.
 */
export class Check {
  readonly stepId: string;
  readonly #problems: DefinitionProblem[];
  readonly #blocks: ReadonlyMap<string, Block>;

  constructor(stepId: string, problems: DefinitionProblem[], blocks: ReadonlyMap<string, Block>) {
    this.stepId = stepId;
    this.#problems = problems;
    this.#blocks = blocks;
  }

  problem(message: string): void {
    this.#problems.push({ stepId: this.stepId, message });
  }

  /** The block of a slot of `Sketch.bodies`. */
  block(slot: string): Block {
    return this.#blocks.get(slot) ?? { nodes: [] };
  }

  /** The block, which must do something. */
  filledBlock(slot: string, what: string): Block {
    const block = this.block(slot);
    if (block.nodes.length === 0) this.problem(`${what} is empty: give it a step, or leave it out`);
    return block;
  }

  /** A small function of the data. */
  expression<Result>(value: unknown, what: string): Expression<Result> {
    if (typeof value !== "function") this.problem(`${what} must be a function of the data, got ${shown(value)}`);
    else if (isAsyncFunction(value)) {
      this.problem(
        `${what} must not be an async function: it is called while the workflow decides; move the work into a step`,
      );
    }
    return value as Expression<Result>;
  }

  /** A constant, or a function of the data. */
  value<Type>(
    value: unknown,
    what: string,
    checkConstant: (value: unknown, what: string) => Type,
  ): Type | Expression<Type> {
    return typeof value === "function" ? this.expression<Type>(value, what) : checkConstant.call(this, value, what);
  }

  /** A duration, as milliseconds: `"1h"` and `"60m"` are the same option, and shall have the same hash. */
  milliseconds(value: unknown, what: string): number {
    try {
      return parseDuration(value as Duration, what);
    } catch (error) {
      if (!(error instanceof InvalidOptionError)) throw error;
      // `parseDuration` puts the name in quotes; here it is a phrase that has its own.
      this.problem(error.message.replace(`\`${what}\``, what));
      return Number.NaN;
    }
  }

  text(value: unknown, what: string): string {
    if (typeof value !== "string") this.problem(`${what} must be text, got ${shown(value)}`);
    return value as string;
  }

  /** The name of an event or a workflow. */
  name(value: unknown, what: string): string {
    const problem = nameProblem(value);
    if (problem !== undefined) this.problem(`${what} ${problem}`);
    return value as string;
  }

  /** The key of an event; empty is legal. */
  key(value: unknown, what: string): string {
    const problem = keyProblem(value);
    if (problem !== undefined) this.problem(`${what} ${problem}`);
    return value as string;
  }

  /** A key of the data. */
  dataKey(value: unknown, what: string): string {
    if (value === "__proto__") this.problem(`${what} must not be "__proto__"`);
    return this.name(value, what);
  }

  /** A whole number from 1. */
  count(value: unknown, what: string): number {
    if (!Number.isSafeInteger(value) || (value as number) < 1)
      this.problem(`${what} must be a whole number from 1, got ${shown(value)}`);
    return value as number;
  }

  oneOf<const Choice extends string>(value: unknown, choices: readonly Choice[], what: string): Choice {
    if (!choices.includes(value as Choice)) {
      this.problem(
        `${what} must be ${choices.map((choice) => JSON.stringify(choice)).join(" or ")}, got ${shown(value)}`,
      );
    }
    return value as Choice;
  }

  /** Options: an object with nothing but these. */
  options<const Name extends string>(
    given: unknown,
    names: readonly Name[],
    what: string,
  ): Partial<Record<Name, unknown>> {
    if (given === undefined) return {};
    if (typeof given !== "object" || given === null || Array.isArray(given)) {
      this.problem(`the options of ${what} must be an object, got ${shown(given)}`);
      return {};
    }
    for (const name of Object.keys(given)) {
      if (!names.includes(name as Name)) {
        this.problem(`${what} has no option \`${name}\`; it has ${names.map((known) => `\`${known}\``).join(", ")}`);
      }
    }
    return given;
  }
}

/** A field, if there is a value for it. */
export function given<const Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [Key in Name]?: Value } {
  return (value === undefined ? {} : { [name]: value }) as { [Key in Name]?: Value };
}
