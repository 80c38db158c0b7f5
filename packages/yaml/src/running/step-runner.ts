import { createHash } from "node:crypto";
import {
  FatalError,
  InvalidOptionError,
  parseDuration,
  ValidationError,
  type StandardSchema,
  type StepContext,
} from "@wfe/core";
import { asText, type Template } from "../expressions/template.ts";
import type { Expression } from "../expressions/expression.ts";
import type { CacheKey, OutputKey } from "../schema/modifiers.ts";
import type { StepCall, StepOutcome, StepPlace, StepType } from "../step-types/step-type.ts";
import { ShellFailedError } from "../shell/shell-failed-error.ts";
import type { CompiledInputs } from "../compile/inputs.ts";
import type { StepOutput } from "../compile/outputs.ts";
import { itemAt, matrixAt, type Place } from "../compile/place.ts";
import { dataOf, scopeAt, stepsKey, stepsOfItemKey, type ScopeBase } from "../compile/scope.ts";
import { collectOutputs } from "./collect-outputs.ts";
import { maskedContext } from "./masked-context.ts";
import { Masker, type SecretSource } from "./secrets.ts";
import type { StepCache } from "./step-cache.ts";

type Bag = Readonly<Record<string, unknown>>;

/** What all steps of a load share. */
export interface StepRunner {
  readonly secrets: SecretSource;
  readonly cache: StepCache;
  readonly now: () => number;
}

/** A step with a body, as it was compiled. */
export interface LeafParts {
  readonly type: StepType;
  readonly place: StepPlace;
  readonly config: Template;
  /** What the type's schema made of the config at load; absent where the config has placeholders. */
  readonly checked?: unknown;
  /** The placeholders in program texts; their values matter to the cache. */
  readonly programs: readonly Expression[];
  readonly inputs: CompiledInputs | undefined;
  readonly outputs: readonly OutputKey[];
  readonly cache: CacheKey | undefined;
  readonly cacheKey: Template | undefined;
  readonly base: ScopeBase;
  readonly at: Place;
  /** What a failure leaves becomes data: the workflow goes on after it. */
  readonly isIgnored: boolean;
  readonly evaluator: (text: string) => Expression;
}

/** Runs a step: fills in its config, runs its type's body, collects what it gave, and lets no secret out. */
export class LeafStep {
  readonly #runner: StepRunner;
  readonly #parts: LeafParts;
  #prepared: Promise<void> | undefined;

  constructor(runner: StepRunner, parts: LeafParts) {
    this.#runner = runner;
    this.#parts = parts;
  }

  /** What the type has to do before the first run; a failure is forgotten, so that the next attempt tries again. */
  prepare(config: unknown): Promise<void> {
    const { type, place } = this.#parts;
    if (type.prepare === undefined) return Promise.resolve();
    this.#prepared ??= type.prepare(config, place).catch((error: unknown) => {
      this.#prepared = undefined;
      throw error;
    });
    return this.#prepared;
  }

  async run(ctx: StepContext): Promise<StepOutput> {
    const masker = new Masker();
    const masked = maskedContext(ctx, masker);
    try {
      return masker.value(await this.#attempt(masked.ctx, masker)) as StepOutput;
    } catch (error) {
      const keeps = this.#parts.isIgnored && error instanceof ShellFailedError;
      throw masker.error(keeps ? error.keepOutput((value) => masker.value(value)) : error);
    } finally {
      masked.end();
    }
  }

  async #attempt(ctx: StepContext, masker: Masker): Promise<StepOutput> {
    const { type, place, at, base } = this.#parts;
    const data = dataOf(at, ctx.data as Bag, ctx);
    const secret = new Secrets(this.#runner.secrets, masker);
    const scopeOf = (inputs?: Bag): Record<string, unknown> =>
      scopeAt(base, at, data, ctx, { secret: secret.known, ...(inputs === undefined ? {} : { inputs }) });
    await secret.resolve(this.#parts.config.secrets);
    const inputs = await this.#inputs(scopeOf, secret);
    const scope = scopeOf(inputs);
    const config = await this.#config(scope, inputs);
    const call: StepCall = {
      ...place,
      ctx,
      data,
      inputs,
      item: itemAt(at, ctx),
      matrix: matrixAt(at, ctx),
      evaluate: async (text) => {
        const expression = this.#parts.evaluator(text);
        await secret.resolve(expression.secrets);
        return expression.evaluate(scope);
      },
    };
    const key = await this.#cacheKey(config, call, scope);
    const hit = key === undefined ? undefined : await this.#runner.cache.get(key, this.#runner.now());
    if (hit !== undefined) {
      ctx.log.info("the result was found in the cache", { key });
      ctx.progress(100, "cached");
      return { ...hit, cached: true };
    }
    await this.prepare(config);
    const outcome = await type.run(config, call);
    const output = await this.#collect(outcome);
    if (key !== undefined) await this.#keep(key, masker.value(output) as StepOutput, ctx);
    return output;
  }

  /** A result that cannot be kept is a result all the same. */
  async #keep(key: string, output: StepOutput, ctx: StepContext): Promise<void> {
    const ttl = parseDuration(this.#parts.cache?.ttl ?? 0);
    try {
      await this.#runner.cache.set(key, output, this.#runner.now() + ttl);
    } catch (error) {
      ctx.log.warn("the result could not be kept in the cache", { error: String(error) });
    }
  }

  async #inputs(scopeOf: () => Record<string, unknown>, secret: Secrets): Promise<Bag> {
    if (this.#parts.inputs === undefined) return {};
    await secret.resolve(this.#parts.inputs.secrets);
    const inputs = this.#parts.inputs.evaluate(scopeOf());
    const { type } = this.#parts;
    return type.config !== undefined && type.input !== undefined
      ? ((await validated(type.input, inputs, "inputs")) as Bag)
      : inputs;
  }

  async #config(scope: Record<string, unknown>, inputs: Bag): Promise<unknown> {
    const { type, config } = this.#parts;
    if ("checked" in this.#parts) return this.#parts.checked;
    const filled = config.evaluate(scope) as Bag;
    if (type.config !== undefined) return await validated(type.config, filled, "config");
    const merged = { ...filled, ...inputs };
    return type.input === undefined ? merged : await validated(type.input, merged, "inputs");
  }

  async #collect(outcome: StepOutcome | undefined): Promise<StepOutput> {
    const { type, outputs: declared, place } = this.#parts;
    if (typeof outcome !== "object" || outcome === null) {
      throw new FatalError(
        `the step type \`${type.type}\` must give an object such as \`{ outputs: {} }\`, got ${outcome === null ? "null" : typeof outcome}`,
      );
    }
    const outputs = await collectOutputs(declared, outcome, place.folder);
    const checked =
      type.output === undefined
        ? outputs
        : ((await validated(type.output, outputs, "outputs")) as Record<string, unknown>);
    return { outputs: checked, ...(outcome.data === undefined ? {} : { data: outcome.data }) };
  }

  /** Of the definition's namespace, the type, the configuration and the inputs; secrets count by their names. */
  async #cacheKey(config: unknown, call: StepCall, scope: Record<string, unknown>): Promise<string | undefined> {
    const { cache, cacheKey, type, place, config: template, programs } = this.#parts;
    if (cache === undefined) return undefined;
    const { namespace, definitionId } = call.ctx.workflow;
    if (cacheKey !== undefined) {
      return hashOf([namespace, definitionId, place.step, asText(cacheKey.evaluate(scope))]);
    }
    const names: Record<string, string> = {};
    for (const name of [template, ...programs].flatMap(({ secrets }) => [...secrets]))
      names[name] = `\${{ secret.${name} }}`;
    const unsecret = { ...Object.getOwnPropertyDescriptors(scope), secret: { value: names } };
    const open = Object.create(null, unsecret) as Record<string, unknown>;
    return hashOf([
      namespace,
      type.type,
      template.evaluate(open),
      programs.map((expression) => expression.evaluate(open)),
      this.#parts.inputs === undefined ? dataForKey(call.data) : call.inputs,
      call.item,
      call.matrix,
      await type.cacheParts?.(config, place),
    ]);
  }
}

/** Without `inputs` of its own a step may read all data: all counts, but for what differs from run to run. */
function dataForKey(data: Bag): Bag {
  const hidden = [stepsKey, stepsOfItemKey];
  return Object.fromEntries(
    Object.entries(data).filter(([key]) => !hidden.includes(key) && !/\.(stdout|stderr|exit_code)$/.test(key)),
  );
}

function hashOf(parts: readonly unknown[]): string {
  return createHash("sha256").update(JSON.stringify(parts, canonical)).digest("hex");
}

/** Maps in the order of their keys; what JSON has no form for, by its kind and text. */
function canonical(this: unknown, key: string, value: unknown): unknown {
  // `value` is what `toJSON` made of it: a date and its text are not the same.
  const raw: unknown = (this as Bag)[key];
  if (typeof raw === "bigint") return { bigint: String(raw) };
  if (raw instanceof Date) return { date: raw.toJSON() };
  if (raw instanceof Map) return { map: [...raw] };
  if (raw instanceof Set) return { set: [...raw] };
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

class Secrets {
  readonly known: Record<string, string> = {};
  readonly #source: SecretSource;
  readonly #masker: Masker;

  constructor(source: SecretSource, masker: Masker) {
    this.#source = source;
    this.#masker = masker;
  }

  async resolve(names: ReadonlySet<string>): Promise<void> {
    for (const name of names) {
      if (Object.hasOwn(this.known, name)) continue;
      const value = typeof this.#source === "function" ? await this.#source(name) : ownValue(this.#source, name);
      if (value === undefined) {
        throw new FatalError(
          `there is no secret \`${name}\`: \`wfe\` takes it from the environment variable of that name, a program gives it by the option \`secrets\` of the loader`,
        );
      }
      if (typeof value !== "string")
        throw new InvalidOptionError(`the secret \`${name}\` must be text, got ${typeof value}`);
      this.#masker.add(value);
      this.known[name] = value;
    }
  }
}

function ownValue(source: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(source, name) ? source[name] : undefined;
}

async function validated(schema: StandardSchema, value: unknown, what: string): Promise<unknown> {
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(({ message, path = [] }) => {
    const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
    return { message, path: [what, ...keys].join(".") };
  });
  const told = issues.map(({ path, message }) => `\`${path}\`: ${message}`).join("; ");
  throw new ValidationError(`the step's ${what} do not fit its type: ${told}`, issues);
}
