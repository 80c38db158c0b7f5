import { hostname } from "node:os";
import type { WorkflowDefinition } from "../../definition/definition.ts";
import type { StepLog } from "../../definition/step-context.ts";
import { type Duration, parseDuration } from "../../duration.ts";
import { defaultLimits } from "../../engine/index.ts";
import { InvalidOptionError } from "../../errors.ts";
import type { Provider } from "../../providers/provider.ts";
import type { Clock, Runtime } from "../../runtime/runtime.ts";
import type { Telemetry } from "../../telemetry/telemetry.ts";
import { systemClock, systemRuntime } from "../../runtime/system-runtime.ts";
import {
  defaultHostLimits,
  defaultSettings,
  type CreateStep,
  type HostLimits,
  type HostSettings,
  type Middleware,
  type ResolvedProviders,
} from "../core/host-core.ts";
import { consoleLog } from "./console-log.ts";
import { checkName, describeValue } from "./names.ts";
import { nearestName } from "./nearest-name.ts";
import { guardedLog } from "./guarded-log.ts";
import { fieldsFirst, isFieldsFirst, type FieldsFirstLogger } from "./pino-log.ts";
import { resolveProviders } from "./resolve-providers.ts";

/** Options of a `WorkflowHost`. All but `providers` may be left out. */
export interface WorkflowHostOptions {
  /** Where workflows live, such as `[sqlite("app.db")]`. A later provider overrides an earlier one, per interface. */
  readonly providers: readonly Provider[];
  /** The definitions that this host runs; several versions of one id may be there. More can be added with `register`. */
  readonly workflows?: readonly WorkflowDefinition[];
  /** The tenant of all calls, where `host.in(...)` does not say otherwise. Default `"default"`. */
  readonly namespace?: string;
  /**
   * The ids of workflows, in the host's namespace, that this host takes, with their children: whatever else is due stays for other
   * hosts. They may be started later. For a process that is there for one workflow. Default: all are taken.
   */
  readonly only?: readonly string[];
  /** Workflows in hand at once, 1 to 100,000. Default 500. */
  readonly concurrency?: number;
  /** Step bodies at work at once, over all workflows, 1 to 1,000,000. Default 5,000. */
  readonly maxBodies?: number;
  /** How long a silent host keeps its workflows, 100 ms to 1 h: after that others take them over. Default `"10s"`. */
  readonly lease?: Duration;
  /** Around every attempt of a step, outermost first. */
  readonly middleware?: readonly Middleware[];
  /** Makes the instances of step classes, for classes with services. Default `(Step) => new Step()`. */
  readonly createStep?: CreateStep;
  /** Time and timers. Default: the system's. Tests give a `TestClock`. */
  readonly clock?: Clock;
  /** Clock, randomness and ids together, in place of `clock`: for simulators. */
  readonly runtime?: Runtime;
  /** Lets a definition replace a registered one of the same id and version although its structure differs. For development. Default `false`. */
  readonly allowRedefine?: boolean;
  /**
   * What is deleted after which time: workflows that have ended, counted from their end, and events. Default: nothing is. Children
   * that failed or were terminated stay for as long as their parents, whose retry goes on in them.
   */
  readonly retention?: { readonly workflows?: Duration; readonly events?: Duration };
  /** Bounds of sizes and counts; see `HostLimits` for their names and defaults. */
  readonly limits?: Partial<HostLimits>;
  /**
   * Where the host, and the `ctx.log` of steps, write: a logger that takes `(message, fields)`, or one such as pino, which takes the
   * fields first. One that throws or rejects changes nothing. Default: the console, without `debug`.
   */
  readonly log?: StepLog | FieldsFirstLogger;
  /** Whether what steps write (`ctx.write`, `ctx.progress`, `ctx.log`) is kept for `logs(id)`, bounded by `limits.logLines`. Default `true`. */
  readonly keepLogs?: boolean;
  /** Spans and metrics, such as `otel()` of `@wfe/otel`. Default: none, at no cost. */
  readonly telemetry?: Telemetry;
  /** Names this host in histories and lifecycle events, together with a random part. Default: host name and process id. */
  readonly name?: string;
  /** How many deaths of its host, running alone, suspend a workflow as poison, 1 to 100. Default 3. */
  readonly maxDeaths?: number;
}

/** The options, checked and complete. */
export interface CheckedOptions {
  readonly providers: ResolvedProviders;
  readonly workflows: readonly WorkflowDefinition[];
  readonly namespace: string;
  readonly runtime: Runtime;
  readonly allowRedefine: boolean;
  readonly log: StepLog;
  readonly telemetry: Telemetry | undefined;
  readonly keepLogs: boolean;
  readonly hostName: string;
  readonly settings: HostSettings;
}

const known: Readonly<Record<keyof WorkflowHostOptions, true>> = {
  providers: true,
  workflows: true,
  namespace: true,
  only: true,
  concurrency: true,
  maxBodies: true,
  lease: true,
  middleware: true,
  createStep: true,
  clock: true,
  runtime: true,
  allowRedefine: true,
  retention: true,
  limits: true,
  log: true,
  keepLogs: true,
  telemetry: true,
  name: true,
  maxDeaths: true,
};

/** Checks the options of a host, all of them, before anything is opened. Throws `InvalidOptionError`. */
export function checkHostOptions(options: WorkflowHostOptions): CheckedOptions {
  checkObject("the options of a `WorkflowHost`", options);
  refuseUnknown("the options of a `WorkflowHost`", options, Object.keys(known));
  const runtime = checkRuntime(options);
  const log = checkLog(options.log ?? consoleLog);
  return {
    providers: resolveProviders(options.providers, log),
    workflows: checkArray("workflows", options.workflows ?? []),
    namespace: checkName("`namespace`", options.namespace ?? "default"),
    runtime,
    allowRedefine: checkBoolean("allowRedefine", options.allowRedefine ?? false),
    log,
    telemetry: checkTelemetry(options.telemetry),
    keepLogs: checkBoolean("keepLogs", options.keepLogs ?? true),
    hostName: hostName(options.name, runtime),
    settings: checkSettings(options),
  };
}

/** Throws where an option is not among the known ones: one that is ignored would only seem to work. */
export function refuseUnknown(where: string, options: object, names: readonly string[]): void {
  for (const [name, value] of Object.entries(options)) {
    if (names.includes(name) || value === undefined) continue;
    const nearest = nearestName(name, names);
    throw new InvalidOptionError(
      `${where}: there is no \`${name}\`${nearest === undefined ? "." : `, did you mean \`${nearest}\`?`} There is ${names.map((each) => `\`${each}\``).join(", ")}`,
    );
  }
}

/** Throws where options are not an object. */
export function checkObject(what: string, value: unknown): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new InvalidOptionError(`${what} must be an object, got ${describeValue(value)}`);
  }
}

/** Throws where a number is not whole or outside of its bounds. */
export function checkWhole(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw new InvalidOptionError(
    `\`${name}\` must be a whole number from ${least} to ${most}, got ${describeValue(value)}`,
  );
}

export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new InvalidOptionError(`\`${name}\` must be true or false, got ${describeValue(value)}`);
}

/** Of the simulator's hosts: its schedules are too short for the checkpoints that others write. */
export const afterTurns: unique symbol = Symbol("a checkpoint is written after so many turns");

function checkSettings(options: WorkflowHostOptions & { readonly [afterTurns]?: number | undefined }): HostSettings {
  const retention = checkRetention(options.retention);
  return {
    ...defaultSettings,
    concurrency: checkWhole("concurrency", options.concurrency ?? defaultSettings.concurrency, 1, 100_000),
    maxBodies: checkWhole("maxBodies", options.maxBodies ?? defaultSettings.maxBodies, 1, 1_000_000),
    leaseMs: checkDuration("lease", options.lease ?? defaultSettings.leaseMs, 100, 3_600_000),
    maxLoneDeaths: checkWhole("maxDeaths", options.maxDeaths ?? defaultSettings.maxLoneDeaths, 1, 100),
    limits: checkLimits(options.limits ?? {}),
    middleware: checkArray("middleware", options.middleware ?? []).map((each, index) =>
      checkFunction(`middleware[${index}]`, each),
    ),
    createStep: checkFunction("createStep", options.createStep ?? ((Step) => new Step())),
    retention,
    ...checkOnly(options),
    checkpointTurns: options[afterTurns] ?? defaultSettings.checkpointTurns,
  };
}

function checkOnly({ only, namespace = "default" }: WorkflowHostOptions): Pick<HostSettings, "only"> {
  if (only === undefined) return {};
  const ids = checkArray("only", only).map((id, index) => checkName(`\`only[${index}]\``, id));
  if (ids.length === 0) {
    throw new InvalidOptionError(
      "`only` names no workflow, so that the host would never take one: name some, leave it out, or do not start the host",
    );
  }
  return { only: { namespace: checkName("`namespace`", namespace), ids } };
}

function checkDuration(name: string, value: Duration, leastMs: number, mostMs: number): number {
  const ms = parseDuration(value, name);
  if (ms >= leastMs && ms <= mostMs) return ms;
  throw new InvalidOptionError(`\`${name}\` must be from ${leastMs} to ${mostMs} ms, got ${ms}`);
}

function checkRetention(retention: WorkflowHostOptions["retention"]): HostSettings["retention"] {
  if (retention === undefined) return {};
  checkObject("`retention`", retention);
  refuseUnknown("`retention`", retention, ["workflows", "events"]);
  const { workflows, events } = retention;
  return {
    ...(workflows === undefined
      ? {}
      : { workflowsMs: checkDuration("retention.workflows", workflows, 1, Number.MAX_SAFE_INTEGER) }),
    ...(events === undefined
      ? {}
      : { eventsMs: checkDuration("retention.events", events, 1, Number.MAX_SAFE_INTEGER) }),
  };
}

/** The most that a limit may be raised to. */
const mostOf: HostLimits = {
  valueBytes: 1024 ** 3,
  dataBytes: 1024 ** 3,
  // Values are walked recursively, which must stay far from the end of the stack.
  depth: 500,
  transitions: 1_000_000_000,
  childDepth: 1_000,
  inboxDeliveries: 1_000_000,
  batch: 500,
  outputLineBytes: 1024 ** 2,
  logLines: 1_000_000,
};

function checkLimits(limits: Partial<HostLimits>): HostLimits {
  checkObject("`limits`", limits);
  refuseUnknown("`limits`", limits, Object.keys(mostOf));
  const checked: Record<keyof HostLimits, number> = { ...defaultLimits, ...defaultHostLimits };
  for (const name of Object.keys(mostOf) as (keyof HostLimits)[]) {
    checked[name] = checkWhole(`limits.${name}`, limits[name] ?? checked[name], 1, mostOf[name]);
  }
  return checked;
}

function checkRuntime({ clock, runtime }: WorkflowHostOptions): Runtime {
  if (runtime !== undefined) {
    if (clock !== undefined)
      throw new InvalidOptionError("`clock` and `runtime` exclude each other: a runtime has a clock of its own");
    checkMethods("runtime", runtime, ["random", "randomId"]);
    checkMethods("runtime.clock", runtime.clock, clockMethods);
    return runtime;
  }
  if (clock !== undefined) checkMethods("clock", clock, clockMethods);
  return systemRuntime(clock ?? systemClock);
}

const clockMethods = ["now", "monotonic", "setTimer", "yield", "track"] as const;

function checkLog(log: StepLog | FieldsFirstLogger): StepLog {
  checkMethods("log", log, ["debug", "info", "warn", "error"]);
  return guardedLog(isFieldsFirst(log) ? fieldsFirst(log) : log);
}

function checkTelemetry(telemetry: Telemetry | undefined): Telemetry | undefined {
  if (telemetry !== undefined) checkMethods("telemetry", telemetry, ["open"]);
  return telemetry;
}

function checkMethods(name: string, value: unknown, methods: readonly string[]): void {
  const object = value as Readonly<Record<string, unknown>> | null | undefined;
  const missing = methods.filter((method) => typeof object?.[method] !== "function");
  if (missing.length > 0) {
    throw new InvalidOptionError(
      `\`${name}\` must have ${missing.map((method) => `\`${method}()\``).join(", ")}, got ${describeValue(value)}`,
    );
  }
}

function checkFunction<Value>(name: string, value: Value): Value {
  if (typeof value === "function") return value;
  throw new InvalidOptionError(`\`${name}\` must be a function, got ${describeValue(value)}`);
}

function checkArray<Item>(name: string, value: readonly Item[]): readonly Item[] {
  if (Array.isArray(value)) return value;
  throw new InvalidOptionError(`\`${name}\` must be an array, got ${describeValue(value)}`);
}

/**
 * Unique also where two hosts were given one name: a host knows by it which lifecycle events are its own, and a history tells
 * one life of a host from the next.
 */
function hostName(name: string | undefined, runtime: Runtime): string {
  const given = name === undefined ? `${hostname()}-${process.pid}` : checkName("`name`", name);
  return `${given}-${runtime.randomId().slice(0, 6)}`;
}
