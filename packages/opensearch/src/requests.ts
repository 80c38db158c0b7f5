import { type Client, errors } from "@opensearch-project/opensearch";
import { StoreError } from "@wfe/core/providers";

/** An answer of OpenSearch that is not an error. */
export interface Answer {
  readonly status: number;
  readonly body: any;
}

export interface Request {
  readonly method: "DELETE" | "GET" | "POST" | "PUT";
  readonly path: string;
  readonly body?: unknown;
  /** Lines of a `_bulk`, in place of a body. */
  readonly lines?: readonly object[];
  readonly query?: Readonly<Record<string, string | number | boolean>>;
  /** Statuses that are answers, not errors. */
  readonly expect?: readonly number[];
}

/** Sends requests, and makes of whatever goes wrong a `StoreError` that says what to do. */
export class Requests {
  readonly #client: Client;
  readonly #where: string;
  readonly #limits: { readonly requestTimeout: number; readonly maxRetries: number };

  constructor(client: Client, where: string, limits: { readonly requestTimeout: number; readonly maxRetries: number }) {
    this.#client = client;
    this.#where = where;
    this.#limits = limits;
  }

  async send({ method, path, body, lines, query, expect = [] }: Request): Promise<Answer> {
    try {
      const answer = await this.#client.transport.request(
        {
          method,
          path,
          ...(body === undefined ? {} : { body }),
          ...(lines === undefined ? {} : { bulkBody: [...lines] }),
          ...(query === undefined ? {} : { querystring: { ...query } }),
        } as Parameters<Client["transport"]["request"]>[0],
        { ...this.#limits, ignore: [...expect] },
      );
      return { status: answer.statusCode ?? 0, body: answer.body };
    } catch (error) {
      throw this.error(error);
    }
  }

  error(error: unknown): Error {
    if (error instanceof StoreError) return error;
    const { code, text, transient } = explain(error);
    return new StoreError(code, `${this.#where}: ${text}`, { outcome: "unknown", transient, cause: error });
  }
}

interface Explanation {
  readonly code: string;
  readonly text: string;
  readonly transient: boolean;
}

function explain(error: unknown): Explanation {
  if (error instanceof errors.ResponseError) return explainAnswer(error.statusCode ?? 0, reasonOf(error.body));
  if (error instanceof errors.TimeoutError) {
    const text = "no answer in time: see whether the cluster is overloaded, or raise `requestTimeout`";
    return { code: "SEARCH_TIMEOUT", text, transient: true };
  }
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof errors.ConnectionError || error instanceof errors.NoLivingConnectionsError) {
    const isTls = /certificate|self.signed|SSL|TLS|EPROTO/i.test(message);
    const text = isTls
      ? `TLS refuses the connection (${message}): give the certificate authority as \`tls: { ca }\``
      : `it cannot be reached (${message}): see whether it is up and the URL is right`;
    return { code: "SEARCH_UNREACHABLE", text, transient: !isTls };
  }
  return { code: "SEARCH_FAILED", text: `${message}: see the cause`, transient: false };
}

/** What an error of a request, or of one item of a batch, means. */
export function explainAnswer(status: number, reason: string): Explanation {
  if (status === 401) {
    const text = "it wants a login, or refuses this one: check `username` and `password`";
    return { code: "SEARCH_LOGIN", text, transient: false };
  }
  if (status === 403 && !reason.includes("cluster_block")) {
    const text = `this login may not do that (${reason}): give it the right to manage the index, its alias and its template`;
    return { code: "SEARCH_LOGIN", text, transient: false };
  }
  if (status === 403) {
    const text = `the index is blocked (${reason}): see whether the cluster's disks are full`;
    return { code: "SEARCH_BLOCKED", text, transient: true };
  }
  if (status === 404) {
    const text = "the index is not there: a host that runs makes it, and fills it from the store";
    return { code: "SEARCH_NO_INDEX", text, transient: true };
  }
  const transient = status === 408 || status === 429 || status >= 500;
  const text = transient ? `it is too busy, or in trouble (${status}, ${reason})` : `${reason} (${status})`;
  return { code: transient ? "SEARCH_BUSY" : "SEARCH_FAILED", text: `${text}: see the cause`, transient };
}

/** The type and reason that OpenSearch gives, of the innermost error. */
function reasonOf(body: unknown): string {
  const error = (body as { readonly error?: unknown } | null | undefined)?.error;
  if (typeof error === "string") return error;
  return reasonOfError(error);
}

export function reasonOfError(error: unknown): string {
  let inner = error as { readonly type?: unknown; readonly reason?: unknown; readonly caused_by?: unknown } | undefined;
  for (let depth = 0; depth < 10 && typeof inner?.caused_by === "object" && inner.caused_by !== null; depth++)
    inner = inner.caused_by;
  const outer = error as { readonly type?: unknown } | undefined;
  const type = typeof outer?.type === "string" ? outer.type : "error";
  return typeof inner?.reason === "string" ? `${type}: ${inner.reason}` : type;
}
