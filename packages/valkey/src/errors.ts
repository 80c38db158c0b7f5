import { StoreError, WfeError } from "@wfe/core/providers";

interface Explanation {
  readonly code: string;
  readonly text: string;
  readonly transient: boolean;
}

/** What the first word of the server's answer, or the code of the connection's error, means for the user. */
const explanations: readonly (readonly [RegExp, Explanation])[] = [
  [
    /^NOAUTH|without any password configured/u,
    {
      code: "STORE_UNAUTHORIZED",
      text: "it requires a password, or takes none: put the right one into the URL, as in redis://:password@host:6379, or into the options, or leave it out",
      transient: false,
    },
  ],
  [
    /^WRONGPASS|invalid password|invalid username/u,
    {
      code: "STORE_UNAUTHORIZED",
      text: "it refuses the user or the password: correct them in the URL or the options",
      transient: false,
    },
  ],
  [
    /^NOPERM/u,
    {
      code: "STORE_FORBIDDEN",
      text: 'the user lacks a right: allow the keys and channels of the prefix and the commands of scripts, as in "~{wfe}:* &{wfe}:* +@all"',
      transient: false,
    },
  ],
  [
    /^READONLY|is a replica/u,
    { code: "STORE_READ_ONLY", text: "it is a replica, which takes no writes: name the primary", transient: true },
  ],
  [
    /^MISCONF/u,
    {
      code: "STORE_READ_ONLY",
      text: "it takes no writes since it cannot save to its disk: look at the server's log",
      transient: true,
    },
  ],
  [
    /^OOM/u,
    {
      code: "STORE_FULL",
      text: "its memory is full: raise `maxmemory` or free some, it is tried again",
      transient: true,
    },
  ],
  [
    /^(LOADING|BUSY|CLUSTERDOWN|TRYAGAIN|MASTERDOWN|NOREPLICAS)/u,
    { code: "STORE_BUSY", text: "it cannot serve at the moment: it is tried again", transient: true },
  ],
  [
    /timed out|ETIMEDOUT/u,
    {
      code: "STORE_UNREACHABLE",
      text: "it did not answer in time: see that it is a Valkey or Redis server, that it runs and that the network reaches it",
      transient: true,
    },
  ],
  [
    /Protocol error|first character of a reply/iu,
    {
      code: "STORE_UNREACHABLE",
      text: "what answers there is not a Valkey or Redis server: check host and port, and whether TLS is wanted (rediss://)",
      transient: false,
    },
  ],
  [
    /ENOTFOUND|EAI_AGAIN/u,
    { code: "STORE_UNREACHABLE", text: "there is no such host: check the URL", transient: true },
  ],
  [
    /ECONNREFUSED|ECONNRESET|EPIPE|EHOSTUNREACH|ENETUNREACH|Connection is closed|isn't writeable|slots cache|None of startup nodes/u,
    {
      code: "STORE_UNREACHABLE",
      text: "nothing answers there: check the URL, and that the server runs",
      transient: true,
    },
  ],
];

/** A `StoreError` that says what happened to the server and what to do. Errors of WFE pass as they are. */
export function valkeyError(error: unknown, server: string): Error {
  if (error instanceof WfeError) return error;
  const message = messageOf(error);
  const found = explanations.find(([pattern]) => pattern.test(message))?.[1];
  const { code, text, transient } = found ?? {
    code: "STORE_FAILED",
    text: `${message}: see the cause`,
    transient: false,
  };
  return new StoreError(code, `Valkey at ${server}: ${text}`, { outcome: outcomeOf(code), transient, cause: error });
}

/** A lost connection may have lost an answer; a server that answers with an error has done nothing. */
function outcomeOf(code: string): "not-applied" | "unknown" {
  return code === "STORE_UNREACHABLE" || code === "STORE_FAILED" ? "unknown" : "not-applied";
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code, lastNodeError } = error as Error & { readonly code?: unknown; readonly lastNodeError?: unknown };
  if (lastNodeError instanceof Error) return messageOf(lastNodeError);
  return typeof code === "string" && !error.message.includes(code) ? `${code} ${error.message}` : error.message;
}
