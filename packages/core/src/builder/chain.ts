import type { StandardSchema } from "../definition/standard-schema.ts";
import type { WorkflowDefinition } from "../definition/definition.ts";
import { InvalidOptionError } from "../errors.ts";
import { leaveUnheard } from "../thenable.ts";
import { buildDefinition } from "./build.ts";
import { isAsyncFunction, isPromiseResolver } from "./functions.ts";
import { GraphChain } from "./graph-chain.ts";
import { decideSketch, ifSketch } from "./kinds/branching.ts";
import { endSketch, failSketch } from "./kinds/ending.ts";
import { graphSketch, parallelSketch, sagaSketch } from "./kinds/joining.ts";
import { forEachSketch, whileSketch } from "./kinds/looping.ts";
import { runWorkflowSketch } from "./kinds/run-workflow.ts";
import { stepSketch } from "./kinds/step.ts";
import { delaySketch, sleepUntilSketch, waitSketch } from "./kinds/waiting.ts";
import { Modifying } from "./modifying.ts";
import { shown } from "./names.ts";
import { ParallelChain } from "./parallel-chain.ts";
import type { BodySketch, Modifier, Sketch } from "./sketch.ts";
import type { StepBuilder } from "./types/link-builders.ts";

/** Every method that the documented interfaces have. */
type Method = Exclude<keyof StepBuilder<any, any, any, any, any>, `~${string}`>;

/** Where a chain began: `workflow()`, or the body of a container. */
interface Origin {
  readonly whole: boolean;
  readonly dataSchema?: StandardSchema;
}

/**
 * The builder behind the interfaces of `types/`. It only takes notes: what is wrong is found by `build`, all at once.
 */
export class Chain extends Modifying implements Record<Method, (...given: any[]) => unknown> {
  readonly #origin: Origin;
  readonly #sketches: readonly Sketch[];
  readonly #problems: readonly string[];
  /** Whether modifiers have a node to go to. */
  readonly #modifiable: boolean;
  /** Whether it, or the fragment that goes on with it, has only begun. */
  readonly #begins: boolean;

  constructor(
    origin: Origin,
    sketches: readonly Sketch[] = [],
    problems: readonly string[] = [],
    modifiable: boolean = sketches.length > 0,
    begins: boolean = sketches.length === 0,
  ) {
    super();
    this.#origin = origin;
    this.#sketches = sketches;
    this.#problems = problems;
    this.#modifiable = modifiable;
    this.#begins = begins;
    Object.freeze(this);
  }

  startWith(step: unknown, input?: unknown): Chain {
    return this.#with(stepSketch(step, input, !this.#begins));
  }

  then(step: unknown, input?: unknown): Chain {
    if (isPromiseResolver(step) && isPromiseResolver(input)) {
      throw new InvalidOptionError(
        "a workflow builder is not a promise: do not await it, nor return it from an async function; end the chain with `.build(id, version)`",
      );
    }
    return this.#with(stepSketch(step, input));
  }

  thenFn(step: unknown): Chain {
    return this.#with(stepSketch(step, undefined));
  }

  runWorkflow(definition: unknown, input?: unknown, options?: unknown): Chain {
    return this.#with(runWorkflowSketch(definition, input, options));
  }

  use(fragment: unknown): Chain {
    const start = new Chain(this.#origin, this.#sketches, this.#problems, false, true);
    const made = runBody(fragment, "the fragment of `use`", this.#origin, start);
    const sketches = made.sketches.length === 0 ? this.#sketches : made.sketches;
    return new Chain(this.#origin, sketches, [...this.#problems, ...made.problems.slice(this.#problems.length)], false);
  }

  ifDo(condition: unknown, then: unknown, otherwise?: unknown): Chain {
    return this.#with(
      ifSketch(
        condition,
        this.run(then, "the body of `ifDo`"),
        otherwise === undefined ? undefined : this.run(otherwise, "the second body of `ifDo`"),
      ),
    );
  }

  decide(...given: readonly [value: unknown, cases: unknown] | readonly [cases: unknown]): Chain {
    const [value, cases] = given.length > 1 ? given : [undefined, given[0]];
    const bodies = isObject(cases)
      ? Object.entries(cases).map(
          ([text, body]) => [text, this.run(body, `case ${JSON.stringify(text)} of \`decide\``)] as const,
        )
      : undefined;
    return this.#with(decideSketch(value, given.length > 1, bodies));
  }

  whileDo(condition: unknown, body: unknown): Chain {
    return this.#with(whileSketch("while", condition, this.run(body, "the body of `whileDo`")));
  }

  doWhile(body: unknown, condition: unknown): Chain {
    return this.#with(whileSketch("do-while", condition, this.run(body, "the body of `doWhile`")));
  }

  forEach(items: unknown, body: unknown, options?: unknown): Chain {
    return this.#with(forEachSketch(items, this.run(body, "the body of `forEach`"), options));
  }

  parallel(branches: unknown, options?: unknown): Chain {
    const made =
      typeof branches === "function"
        ? branches(new ParallelChain((body) => this.run(body, "a branch of `parallel`")))
        : undefined;
    leaveUnheard(made);
    return this.#with(parallelSketch(made instanceof ParallelChain ? made.branches : undefined, options));
  }

  graph(nodes: unknown, options?: unknown): Chain {
    const made = typeof nodes === "function" ? nodes(new GraphChain((body, what) => this.run(body, what))) : undefined;
    leaveUnheard(made);
    return this.#with(graphSketch(made instanceof GraphChain ? made.vertices : undefined, options));
  }

  saga(body: unknown): Chain {
    return this.#with(sagaSketch(this.run(body, "the body of `saga`")));
  }

  waitFor(event: unknown, key: unknown, options?: unknown): Chain {
    return this.#with(waitSketch("one", event, key, options, this.#waitBodies(options)));
  }

  waitForAny(events: unknown, key?: unknown, options?: unknown): Chain {
    return this.#with(waitSketch("any", events, key, options, this.#waitBodies(options)));
  }

  waitForAll(events: unknown, key?: unknown, options?: unknown): Chain {
    return this.#with(waitSketch("all", events, key, options, this.#waitBodies(options)));
  }

  delay(duration: unknown): Chain {
    return this.#with(delaySketch(duration));
  }

  sleepUntil(date: unknown): Chain {
    return this.#with(sleepUntilSketch(date));
  }

  endWorkflow(): Chain {
    return this.#with(endSketch());
  }

  fail(message: unknown): Chain {
    return this.#with(failSketch(message));
  }

  id(id: unknown): this {
    return this.modified({ name: "id", value: id });
  }

  as(key: unknown): this {
    return this.modified({ name: "as", value: key });
  }

  output(patch: unknown): this {
    return this.modified({ name: "output", value: patch });
  }

  build(id: string, version: number, options?: unknown): WorkflowDefinition {
    const misplaced = this.#origin.whole
      ? []
      : ["`build` is for the whole workflow: a body gives its builder back instead"];
    return buildDefinition(id, version, options, this.#origin.dataSchema, {
      sketches: this.#sketches,
      problems: [...this.#problems, ...misplaced],
    });
  }

  protected override modified(modifier: Modifier): this {
    const last = this.#sketches.at(-1);
    if (last === undefined || !this.#modifiable) {
      const problem = `\`.${modifier.name}\` has no step before it that it could belong to`;
      return new Chain(this.#origin, this.#sketches, [...this.#problems, problem], this.#modifiable) as this;
    }
    const changed = { ...last, modifiers: [...last.modifiers, modifier] };
    return new Chain(this.#origin, [...this.#sketches.slice(0, -1), changed], this.#problems) as this;
  }

  protected override run(body: unknown, what: string): BodySketch {
    const origin = { whole: false };
    return runBody(body, what, origin, new Chain(origin));
  }

  /** What a body made, if it is `made` of the builder that the body was given, and not of another one. */
  static sketchOf(made: unknown, origin: object): BodySketch | undefined {
    if (!(made instanceof Chain) || made.#origin !== origin) return undefined;
    return { sketches: made.#sketches, problems: made.#problems };
  }

  #with(sketch: Sketch): Chain {
    return new Chain(this.#origin, [...this.#sketches, sketch], this.#problems);
  }

  #waitBodies(options: unknown): { onTimeout?: BodySketch; remind?: BodySketch } {
    if (!isObject(options)) return {};
    const { onTimeout, remind } = options;
    return {
      ...(onTimeout === undefined ? {} : { onTimeout: this.run(onTimeout, "`onTimeout`") }),
      ...(isObject(remind) && remind.do !== undefined ? { remind: this.run(remind.do, "`remind.do`") } : {}),
    };
  }
}

function runBody(body: unknown, what: string, origin: object, start: Chain): BodySketch {
  const wrong = (problem: string): BodySketch => ({ sketches: [], problems: [problem] });
  if (typeof body !== "function")
    return wrong(`${what} must be a function from builder to builder, got ${shown(body)}`);
  if (isAsyncFunction(body))
    return wrong(`${what} must not be async: it only describes steps, and the steps do the work`);
  const made: unknown = body(start);
  // Its builder refuses to be awaited; that is told below, and not a second time as an unhandled rejection.
  leaveUnheard(made);
  return (
    Chain.sketchOf(made, origin) ??
    wrong(
      `${what} must give back the builder that it was given, got ${made instanceof Chain ? "another builder" : shown(made)}`,
    )
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
