import { createServer, type Server } from "node:https";
import { request } from "node:http";
import type { AddressInfo } from "node:net";

/** For localhost, for a hundred years, and for nothing but these tests. */
export const certificate = `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUF9EIubDSUK9wkJOvQBmeTCkz2sQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTA2MTUyN1oYDzIxMjYxMDI4
MDYxNTI3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQ4pWwheBLTPqc5FC6JGaYTmm65ASpv/zP4o2wrE1zT6dCFWn3Do96K
lAo6iVrIwUW4zclZs/vVaQfLRqMvf9bGo28wbTAdBgNVHQ4EFgQUN0daRpUBpppD
xY6Mi2ar6ww5/sswHwYDVR0jBBgwFoAUN0daRpUBpppDxY6Mi2ar6ww5/sswDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgSdJmwEW/BeLqG8aGOMvgMymFT3FrMkt9y/Jf0c0B/PYCIQCR
nG06aylnBKkLyoe2ePKII8L3P5l6vecLhgdS0IqTTQ==
-----END CERTIFICATE-----
`;
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgam8gjngmliXO8iJP
xH+dkmL15tFaX5p/2wt9UIHD2IahRANCAAQ4pWwheBLTPqc5FC6JGaYTmm65ASpv
/zP4o2wrE1zT6dCFWn3Do96KlAo6iVrIwUW4zclZs/vVaQfLRqMvf9bG
-----END PRIVATE KEY-----
`;

/** TLS and a login in front of a server that has neither. */
export interface GuardedDoor extends AsyncDisposable {
  readonly url: string;
}

export async function guardedDoor(
  port: number,
  login: { readonly username: string; readonly password: string },
): Promise<GuardedDoor> {
  const expected = `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
  const server: Server = createServer({ key, cert: certificate }, (incoming, outgoing) => {
    const { authorization, host: _, ...headers } = incoming.headers;
    if (authorization !== expected) {
      outgoing.writeHead(401, { "content-type": "text/plain" }).end("Unauthorized");
      return;
    }
    const inner = request(
      { port, host: "127.0.0.1", path: incoming.url, method: incoming.method, headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      },
    );
    inner.once("error", () => outgoing.destroy());
    incoming.pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
