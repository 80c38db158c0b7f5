import type { Duration, StandardSchema, StepContext } from "@wfe/core";

/**
 * A type of step that a YAML file can name in `type:`. The built-in ones and an application's own are made the same way.
 *
 * `config` of the step is checked against {@link StepType.config} when the file is loaded, so far as it has no `${{ }}` that is
 * filled in when the step runs; the rest is checked then. `run` gets what the schema made of it.
 */
export interface StepType<Config = any> {
  /** What `type:` says: letters, digits, `-`, `_` and `.`. */
  readonly type: string;
  /** A few words for people. */
  readonly title: string;
  /** What it does, in a sentence or two; editors show it. */
  readonly description: string;
  /**
   * Of the step's `config`. Without it, `input` describes `config` and `inputs` together, and that is what `run` gets.
   *
   * Any Standard Schema; one of zod gives better messages, and completion in editors.
   */
  readonly config?: StandardSchema<unknown, Config>;
  /** Of the step's `inputs`; see `config`. */
  readonly input?: StandardSchema;
  /** Of the outputs together, an object by name. Checked after each run; its JSON Schema is shown to people. */
  readonly output?: StandardSchema;
  /**
   * Keys of `config` whose text is program text: `${{ var.x }}` is filled in at load, all other placeholders are left as they
   * are, for the type to deal with ({@link StepCall.evaluate}) or to refuse ({@link StepType.check}).
   */
  readonly programs?: readonly string[];
  /** Time-out per attempt that the config asks for, where the step has no `timeout` of its own. */
  timeout?(config: Config): Duration | undefined;
  /** More checks at load. `config` is as in the file, with variables filled in, and is known to fit its schema. */
  check?(config: Config, place: StepPlace): readonly StepProblem[];
  /**
   * Work before the first run that needs I/O, such as fetching modules; outside any sandbox. Called once per step: while
   * loading, where loading is asynchronous, else before the first attempt. A throw fails the load, or the attempt. While loading,
   * `config` is as in the file where it has `${{ }}` that are filled in when the step runs.
   */
  prepare?(config: Config, place: StepPlace): Promise<void>;
  /** What a step's cached result depends on besides its config and inputs: the content of a script file, for example. */
  cacheParts?(config: Config, place: StepPlace): Promise<unknown>;
  /**
   * Runs one attempt. A throw fails it; `ctx.signal` ends it.
   *
   * `config` has its placeholders filled in, but for those in `programs`. What is written, logged, thrown and given back is
   * searched for secrets by the caller and masked.
   */
  run(config: Config, call: StepCall): Promise<StepOutcome> | StepOutcome;
}

/** Where a step stands. */
export interface StepPlace {
  /** Its name, unique in the workflow. */
  readonly step: string;
  /** The file's path, or what `parseWorkflow` was told it is called. */
  readonly file: string;
  /** The folder that relative paths start from: an absolute path. */
  readonly folder: string;
}

/** Something wrong with a config, found at load. */
export interface StepProblem {
  /** Where: keys and indices from `config` on. Empty: the config as a whole. */
  readonly path: readonly (string | number)[];
  /** Offset into the text at `path`, as `check` was given it; the caret is put there. */
  readonly offset?: number;
  /** What is wrong; one line. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** What a run of a step may use. */
export interface StepCall extends StepPlace {
  /** `write`, `log`, `progress` mask secrets, also across chunk borders. `signal` is aborted on time-out, cancel and stop. */
  readonly ctx: StepContext;
  /** The workflow's data as this step sees it. Frozen. */
  readonly data: Readonly<Record<string, unknown>>;
  /** What the step's `inputs` came to; `{}` without them. */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** The item of the innermost `for_each`; undefined outside. */
  readonly item: unknown;
  /** The combination of the innermost `matrix`; undefined outside. */
  readonly matrix: Readonly<Record<string, unknown>> | undefined;
  /**
   * The value of the inside of a placeholder (`inputs.x`, `secret.NAME`, `steps.a.outputs.b + 1`). A secret's value is masked in
   * all that leaves the step from then on. Throws `ExpressionError`.
   */
  evaluate(expression: string): Promise<unknown>;
}

/** What a run gives back. */
export interface StepOutcome {
  /** Become `data.<name>` and `steps.<step>.outputs.<name>`. */
  readonly outputs?: Readonly<Record<string, unknown>>;
  /** More for the workflow's data, by its whole key (`"build.stdout"`); not outputs. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** What `json_path` of the step's `outputs` reads: the whole text on stdout. */
  readonly text?: string;
  /** Where `path` of the step's `outputs` starts from. Default: {@link StepPlace.folder}. */
  readonly folder?: string;
}
