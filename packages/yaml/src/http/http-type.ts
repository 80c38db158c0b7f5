import { setTimeout as pause } from "node:timers/promises";
import { FatalError, parseDuration, WfeError } from "@wfe/core";
import * as z from "zod";
import { anything, count, countFromZero, duration, flag, scalar, text } from "../schema/values.ts";
import type { StepCall, StepOutcome, StepProblem, StepType } from "../step-types/step-type.ts";
import type { AllowedHosts } from "./address-guard.ts";
import { send, type Incoming } from "./send.ts";

/** What the application says about requests of workflows. */
export interface HttpOptions {
  /** Hosts (`name` or `name:port`) that may be reached although they are this machine or in its network. Default: none. */
  readonly allow?: AllowedHosts;
}

const values = z.record(z.string(), scalar).meta({ expected: "names with values" });

const config = z.strictObject({
  url: text.min(1).describe("http: or https:; may hold `${{ }}`"),
  method: z
    .string()
    .regex(/^[A-Za-z]+$/)
    .meta({ expected: "a method such as GET or POST" })
    .optional()
    .describe("GET by default, POST with a body"),
  headers: values.optional(),
  query: values.optional().describe("Added to the URL, encoded"),
  body: text.optional().describe("Sent as it is"),
  json: anything.optional().describe("Sent as JSON"),
  form: values.optional().describe("Sent as a form"),
  timeout: duration.optional().describe("Of each try, the answer's body included; 30s by default"),
  retries: countFromZero
    .max(10)
    .optional()
    .describe("Further tries after a lost connection or an answer 408, 425, 429, 500, 502, 503, 504; 0 by default"),
  max_bytes: count.max(10_485_760).optional().describe("Of the answer, unpacked; 524288 by default"),
  max_redirects: countFromZero.max(20).optional().describe("5 by default"),
  accept: z.array(z.int().min(100).max(599)).optional().describe("Answers that are no failure; 200 to 299 by default"),
  raw: flag.optional().describe("Gives the body as text even where it is JSON"),
});
type HttpConfig = z.infer<typeof config>;

const worthRetrying: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const defaultTimeout = "30s";
const longestPauseMs = 60_000;

/** `type: http`: one request; its outputs are `status`, `headers`, `body` and `url`. */
export function httpType({ allow = [] }: HttpOptions = {}): StepType<HttpConfig> {
  return {
    type: "http",
    title: "HTTP request",
    description:
      "Sends a request and waits for the answer; `status`, `headers`, `body` (JSON as a value) and `url` are its outputs.",
    config,
    check,
    run: (given, call) => request(given, call, allow),
  };
}

function check(given: HttpConfig): readonly StepProblem[] {
  const problems: StepProblem[] = [];
  const bodies = (["body", "json", "form"] as const).filter((key) => given[key] !== undefined);
  for (const key of bodies.slice(1)) {
    problems.push({ path: [key], message: `a request has one body: \`${bodies[0]}\` is there already` });
  }
  const { url } = given;
  if (!url.includes("${{") && !/^https?:$/.test(URL.parse(url)?.protocol ?? "")) {
    problems.push({ path: ["url"], message: "expected a URL that begins with http:// or https://" });
  }
  return problems;
}

async function request(given: HttpConfig, call: StepCall, allow: AllowedHosts): Promise<StepOutcome> {
  const url = urlOf(given);
  const body = bodyOf(given);
  const method = (given.method ?? (body === undefined ? "GET" : "POST")).toUpperCase();
  const headers = {
    "user-agent": "wfe",
    // The same for all attempts of the step, so that a server that knows it does not do it twice.
    ...(method === "GET" || method === "HEAD" ? {} : { "idempotency-key": call.ctx.idempotencyKey }),
    ...(body === undefined ? {} : { "content-type": body.type, "content-length": String(body.bytes.length) }),
    ...lowerCase(given.headers ?? {}),
  };
  const retries = given.retries ?? 0;
  for (let tries = 0; ; tries++) {
    const outcome = await attempt({ url, method, headers, body: body?.bytes }, given, call, allow);
    const again =
      outcome instanceof Error
        ? !(outcome instanceof WfeError)
        : worthRetrying.has(outcome.status) && given.accept?.includes(outcome.status) !== true;
    if (!again || tries >= retries) return finished(outcome, given, url);
    const wait = pauseMs(outcome, tries);
    const why = outcome instanceof Error ? outcome.message : `it answered ${outcome.status}`;
    call.ctx.log.warn(`${url.host}: ${why}; again in ${wait} ms`);
    await pause(wait, undefined, { signal: call.ctx.signal });
  }
}

async function attempt(
  outgoing: Parameters<typeof send>[0],
  given: HttpConfig,
  { ctx }: StepCall,
  allow: AllowedHosts,
): Promise<Incoming | Error> {
  const timeoutMs = parseDuration(given.timeout ?? defaultTimeout);
  const timeout = AbortSignal.timeout(Math.max(1, Math.min(timeoutMs, 2_147_483_647)));
  const signal = AbortSignal.any([ctx.signal, timeout]);
  try {
    return await send(outgoing, {
      allow,
      signal,
      maxBytes: given.max_bytes ?? 524_288,
      maxRedirects: given.max_redirects ?? 5,
    });
  } catch (error) {
    ctx.signal.throwIfAborted();
    if (timeout.aborted) return new Error(`no answer within ${timeoutMs} ms`);
    return error instanceof Error ? error : new Error(String(error));
  }
}

function finished(outcome: Incoming | Error, given: HttpConfig, url: URL): StepOutcome {
  if (outcome instanceof WfeError) throw outcome;
  if (outcome instanceof Error) {
    throw new WfeError("HTTP_FAILED", `the request to ${url.host} failed: ${outcome.message}`, { cause: outcome });
  }
  const { status, headers, url: from } = outcome;
  const answered = Buffer.from(outcome.body).toString("utf8");
  const fine = given.accept === undefined ? status >= 200 && status < 300 : given.accept.includes(status);
  if (!fine) {
    throw new WfeError("HTTP_STATUS", `${url.host} answered ${status}: ${answered.slice(0, 500).trim()}`);
  }
  const isJson = given.raw !== true && /\bjson\b/i.test(headers["content-type"] ?? "");
  const body: unknown = isJson && answered !== "" ? parsed(answered, url) : answered;
  return { outputs: { status, headers, body, url: from }, text: answered };
}

function parsed(answered: string, url: URL): unknown {
  try {
    return JSON.parse(answered) as unknown;
  } catch (cause) {
    throw new WfeError(
      "HTTP_BODY",
      `${url.host} says that it answers with JSON, and does not: set \`raw: true\` to take it as text`,
      { cause },
    );
  }
}

/** Doubled from try to try, or what the server asks for; never longer than a minute. */
function pauseMs(outcome: Incoming | Error, tries: number): number {
  const asked = outcome instanceof Error ? undefined : outcome.headers["retry-after"];
  const seconds = asked === undefined || !/^\d+$/.test(asked.trim()) ? undefined : Number(asked);
  return Math.min(longestPauseMs, seconds === undefined ? 500 * 2 ** tries : seconds * 1000);
}

function urlOf({ url: given, query = {} }: HttpConfig): URL {
  const url = URL.parse(given);
  if (url === null) throw new FatalError(`\`${given.slice(0, 200)}\` is not a URL`);
  for (const [name, value] of Object.entries(query)) url.searchParams.append(name, String(value));
  return url;
}

function bodyOf({ body, json, form }: HttpConfig): { readonly bytes: Uint8Array; readonly type: string } | undefined {
  if (json !== undefined) return { bytes: Buffer.from(JSON.stringify(json)), type: "application/json" };
  if (form !== undefined) {
    const fields = new URLSearchParams();
    for (const [name, value] of Object.entries(form)) fields.append(name, String(value));
    return { bytes: Buffer.from(fields.toString()), type: "application/x-www-form-urlencoded" };
  }
  return body === undefined ? undefined : { bytes: Buffer.from(body), type: "text/plain; charset=utf-8" };
}

function lowerCase(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}
