import { styleText } from "node:util";
import { exitCodes } from "./exit-codes.ts";

type Style = Parameters<typeof styleText>[0];

/** Where a command writes: data to stdout, all that is for people to stderr. */
export interface Terminal {
  /** A piece of the result. */
  data(text: string): void;
  /** A line for whoever watches. */
  say(line: string): void;
  /** Colours, where stderr is a terminal that wants them. */
  style(style: Style, text: string): string;
  /** Whether stderr can be drawn on. */
  readonly isLive: boolean;
  /** Whether lines go to the log of GitHub Actions. */
  readonly isGitHub: boolean;
  /** How wide it is; 0 where it is no terminal, or one that does not say how large it is. */
  readonly columns: number;
  /** Whether nobody reads the result any more. */
  readonly isDataRefused: () => boolean;
}

export function processTerminal(
  environment: NodeJS.ProcessEnv = process.env,
  screen: NodeJS.WriteStream = process.stderr,
): Terminal {
  const isGitHub = environment["GITHUB_ACTIONS"] === "true";
  // A terminal that does not say how large it is says 0, and cannot be drawn on.
  const columns = screen.isTTY && screen.rows > 0 ? screen.columns : 0;
  const stdout = patientWriter(process.stdout);
  const stderr = patientWriter(screen);
  return {
    data: stdout.write,
    say: (line) => stderr.write(`${line}\n`),
    // Asks the stream, and NO_COLOR and FORCE_COLOR.
    style: (style, text) => styleText(style, text, { stream: screen }),
    isLive: columns > 0 && environment["TERM"] !== "dumb" && environment["CI"] === undefined && !isGitHub,
    isGitHub,
    columns,
    isDataRefused: stdout.isRefused,
  };
}

/** Writes until it is refused: what a command does must not depend on whether somebody reads what it says, as in `wfe run f | head`. */
function patientWriter(stream: NodeJS.WriteStream): {
  readonly write: (text: string) => void;
  readonly isRefused: () => boolean;
} {
  let isRefused = false;
  stream.on("error", ({ code, message }: NodeJS.ErrnoException) => {
    if (isRefused) return;
    isRefused = true;
    if (code === "EPIPE" || stream !== process.stdout) return;
    // A full disk under a redirected result: whoever asked for it has to know.
    process.stderr.write(`error: the result cannot be written: ${message}\n`);
    process.once("exit", (ended) => {
      if (ended === exitCodes.ok) process.exitCode = exitCodes.usage;
    });
  });
  return {
    write: (text) => {
      if (!isRefused) stream.write(text);
    },
    isRefused: () => isRefused,
  };
}

/** JSON for programs: keys in their order, values that JSON does not have as what comes nearest. */
export function json(value: unknown, indent?: number): string {
  return JSON.stringify(value, plain, indent) ?? "null";
}

function plain(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, each]) => [String(key), each]));
  if (value instanceof Set) return [...value];
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Error) return errorJson(value);
  return value;
}

/** What a program may want to know of an error. */
function errorJson(error: Error): object {
  const { name, message, code, stepId, attempt, workflowId } = error as Error & Record<string, unknown>;
  return { name, code, message, stepId, attempt, workflowId };
}
