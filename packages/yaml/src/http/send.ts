import { request as plainRequest, type IncomingMessage } from "node:http";
import { request as secureRequest } from "node:https";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { Readable } from "node:stream";
import { FatalError, WfeError } from "@wfe/core";
import { checkLiteral, guardedLookup, isAllowed, type AllowedHosts } from "./address-guard.ts";

export interface Outgoing {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
}
export interface Incoming {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Where it came from, after redirections. */
  readonly url: string;
}
export interface SendOptions {
  readonly allow: AllowedHosts;
  readonly maxBytes: number;
  readonly maxRedirects: number;
  readonly signal: AbortSignal;
}

/** Sends a request and follows redirections; each place on the way is checked as the first was. */
export async function send(outgoing: Outgoing, options: SendOptions): Promise<Incoming> {
  let next = outgoing;
  for (let redirects = 0; ; redirects++) {
    const response = await once(next, options);
    const location = response.headers.location;
    if (
      location === undefined ||
      ![301, 302, 303, 307, 308].includes(response.statusCode ?? 0) ||
      options.maxRedirects === 0
    ) {
      return await received(response, next.url, options);
    }
    response.destroy();
    if (redirects >= options.maxRedirects) {
      throw new FatalError(`${outgoing.url.host} redirects more than ${options.maxRedirects} times`);
    }
    next = redirected(next, new URL(location, next.url), response.statusCode ?? 0);
  }
}

function once({ url, method, headers, body }: Outgoing, { allow, signal }: SendOptions): Promise<IncomingMessage> {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new FatalError(`a request goes to http: or https:, not to ${url.protocol}`);
  }
  const free = isAllowed(url, allow);
  if (!free) checkLiteral(url);
  const request = url.protocol === "https:" ? secureRequest : plainRequest;
  return new Promise((resolve, reject) => {
    const sent = request(url, {
      method,
      headers: { "accept-encoding": "gzip, deflate, br", ...headers },
      signal,
      // A connection of its own: one that is kept alive would pass the guard by.
      agent: false,
      maxHeaderSize: 65_536,
      ...(free ? {} : { lookup: guardedLookup(url) }),
    });
    sent.once("error", reject);
    sent.once("response", resolve);
    sent.end(body);
  });
}

/** What a redirected request keeps: no body where the method becomes GET, no credentials for another origin. */
function redirected({ url, method, headers, body }: Outgoing, to: URL, status: number): Outgoing {
  const asGet = status === 303 ? method !== "HEAD" : (status === 301 || status === 302) && method === "POST";
  const dropped = new Set([
    ...(to.origin === url.origin ? [] : ["authorization", "cookie", "proxy-authorization"]),
    ...(asGet ? ["content-type", "content-length"] : []),
  ]);
  const kept = Object.entries(headers).filter(([name]) => !dropped.has(name.toLowerCase()));
  // A secret in a header of another name is a credential too: only those of plain content go to another origin.
  const safe = to.origin === url.origin ? kept : kept.filter(([name]) => plainHeaders.has(name.toLowerCase()));
  return { url: to, method: asGet ? "GET" : method, headers: Object.fromEntries(safe), body: asGet ? undefined : body };
}

const plainHeaders = new Set(["accept", "accept-language", "content-type", "user-agent", "idempotency-key"]);

async function received(response: IncomingMessage, url: URL, { maxBytes }: SendOptions): Promise<Incoming> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of decoded(response) as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > maxBytes) {
        throw new WfeError(
          "LIMIT_EXCEEDED",
          `${url.host} answers with more than ${maxBytes} bytes: raise \`max_bytes\`, or ask for less`,
          { limit: maxBytes },
        );
      }
      chunks.push(chunk);
    }
  } finally {
    response.destroy();
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
  return { status: response.statusCode ?? 0, headers, body: Buffer.concat(chunks), url: url.href };
}

function decoded(response: IncomingMessage): Readable {
  const unpack = { gzip: createGunzip, "x-gzip": createGunzip, deflate: createInflate, br: createBrotliDecompress }[
    (response.headers["content-encoding"] ?? "").trim().toLowerCase()
  ];
  if (unpack === undefined) return response;
  const unpacked = unpack();
  // An answer that breaks off breaks the unpacking off, too.
  response.once("error", (error) => unpacked.destroy(error));
  response.once("aborted", () => unpacked.destroy(new Error("the connection was closed")));
  return response.pipe(unpacked);
}
