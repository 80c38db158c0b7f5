import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { runToEnd } from "@wfe/core/testing";
import { parseWorkflow, type LoadOptions } from "@wfe/yaml";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isSpecialAddress } from "../../src/http/address-guard.ts";

type Data = Record<string, any>;

let server: Server;
let port: number;
let hits: { url: string; method: string; headers: IncomingMessage["headers"]; body: string }[] = [];

beforeAll(async () => {
  server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const url = request.url ?? "";
  hits.push({ url, method: request.method ?? "", headers: request.headers, body });
  const count = hits.filter((hit) => hit.url === url).length;
  const json = { "content-type": "application/json" };
  switch (url.split("?")[0]) {
    case "/json":
      return void response.writeHead(200, json).end(JSON.stringify({ got: body, n: [1, 2] }));
    case "/gzip":
      return void response.writeHead(200, { ...json, "content-encoding": "gzip" }).end(gzipSync('{"zipped":true}'));
    case "/bomb":
      return void response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(Buffer.alloc(50_000_000)));
    case "/redirect":
      return void response.writeHead(302, { location: "/json" }).end();
    case "/inside":
      return void response.writeHead(302, { location: `http://localhost:${port}/json` }).end();
    case "/loop":
      return void response.writeHead(302, { location: "/loop" }).end();
    case "/flaky":
      return void (count < 3 ? response.writeHead(503, { "retry-after": "0" }).end("busy") : response.end("fine"));
    case "/reset":
      return void response.destroy();
    case "/slow":
      return;
    default:
      return void response.writeHead(404).end("nothing here");
  }
}

async function request(config: string, data: Data = {}, options: LoadOptions = {}): Promise<Data> {
  hits = [];
  const text = `workflow: { id: w, version: 1, steps: [{ name: get, type: http, config: ${config.replaceAll("HOST", `127.0.0.1:${port}`)} }] }`;
  const allow = [`127.0.0.1:${port}`];
  const result = (await runToEnd(parseWorkflow(text, {}, { http: { allow }, ...options }), data)) as Data;
  return result.steps.get.outputs as Data;
}

describe("http steps", () => {
  it("give status, headers and body, JSON as a value", async () => {
    expect(await request("{ url: http://HOST/json }")).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json" },
      body: { got: "", n: [1, 2] },
      url: `http://127.0.0.1:${port}/json`,
    });
    expect((await request("{ url: http://HOST/json, raw: true }")).body).toBe('{"got":"","n":[1,2]}');
    expect((await request("{ url: http://HOST/gzip }")).body).toEqual({ zipped: true });
  });

  it("send JSON, forms and texts, with an idempotency key", async () => {
    await request(
      '{ url: http://HOST/json, json: { a: "${{ data.a }}" }, query: { q: "a b&c" }, headers: { X-Own: 1 } }',
      { a: ['"'] },
    );
    expect(hits[0]).toMatchObject({
      method: "POST",
      url: "/json?q=a+b%26c",
      body: '{"a":["\\""]}',
      headers: { "content-type": "application/json", "x-own": "1", "idempotency-key": expect.any(String) as string },
    });
    await request('{ url: http://HOST/json, method: put, form: { a: "x y", b: 2 } }');
    expect(hits[0]).toMatchObject({ method: "PUT", body: "a=x+y&b=2" });
    await request("{ url: http://HOST/json }");
    expect(hits[0]?.headers).not.toHaveProperty("idempotency-key");
  });

  it("fail with an answer that is none of those accepted", async () => {
    await expect(request("{ url: http://HOST/nothing }")).rejects.toThrow(/answered 404: nothing here/);
    expect((await request("{ url: http://HOST/nothing, accept: [404] }")).status).toBe(404);
  });

  it("try again where that may help, and not for ever", async () => {
    expect((await request("{ url: http://HOST/flaky, retries: 3 }")).body).toBe("fine");
    expect(hits).toHaveLength(3);
    await expect(request("{ url: http://HOST/reset }")).rejects.toThrow(/the request to .* failed/);
    await expect(request("{ url: http://HOST/nothing, retries: 3 }")).rejects.toThrow("404");
    expect(hits).toHaveLength(1);
  });

  it("end at their time-out and at their size, unpacked", async () => {
    await expect(request("{ url: http://HOST/slow, timeout: 100ms }")).rejects.toThrow("no answer within 100 ms");
    await expect(request("{ url: http://HOST/bomb, max_bytes: 100000 }")).rejects.toThrow("more than 100000 bytes");
  });

  it("follow redirections, not without end, with credentials for the same origin alone", async () => {
    expect((await request("{ url: http://HOST/redirect }")).url).toBe(`http://127.0.0.1:${port}/json`);
    expect((await request("{ url: http://HOST/redirect, max_redirects: 0, accept: [302] }")).status).toBe(302);
    await expect(request("{ url: http://HOST/loop }")).rejects.toThrow("redirects more than 5 times");
    const allow = [`127.0.0.1:${port}`, `localhost:${port}`];
    await request(
      "{ url: http://HOST/inside, headers: { authorization: x, x-token: y, accept: z } }",
      {},
      { http: { allow } },
    );
    expect(hits[1]?.headers).toMatchObject({ accept: "z" });
    expect(hits[1]?.headers).not.toHaveProperty("authorization");
    expect(hits[1]?.headers).not.toHaveProperty("x-token");
  });

  it("do not reach the machine's own network unless it is allowed, not by a name, a redirection or another spelling either", async () => {
    const none = { http: {} };
    for (const host of [
      "127.0.0.1",
      "localhost",
      "0.0.0.0",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "2130706433",
      "0x7f.1",
      "0177.0.0.1",
      "169.254.169.254",
      "[fe80::1]",
      "10.0.0.1",
    ]) {
      await expect(request(`{ url: "http://${host}:${port}/json", timeout: 5s }`, {}, none), host).rejects.toThrow(
        "within this machine's own network",
      );
    }
    await expect(request("{ url: http://HOST/inside }")).rejects.toThrow("within this machine's own network");
    expect(hits.map(({ url }) => url)).toEqual(["/inside"]);
    await expect(request('{ url: "${{ data.url }}" }', { url: "file:///etc/passwd" })).rejects.toThrow(
      "goes to http: or https:",
    );
  });

  it("know special addresses by their ranges", () => {
    for (const address of ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111"])
      expect(isSpecialAddress(address), address).toBe(false);
    for (const address of [
      "192.168.1.1",
      "100.64.0.1",
      "224.0.0.1",
      "255.255.255.255",
      "::",
      "fd00::1",
      "64:ff9b::7f00:1",
      "2002:7f00:1::",
      "2001:db8::1",
      "::ffff:7f00:1",
      "fe80::1%eth0",
      "nonsense",
    ]) {
      expect(isSpecialAddress(address), address).toBe(true);
    }
  });
});
