import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Provider } from "@wfe/core/providers";
import { systemRuntime } from "@wfe/core/providers";
import { Redis } from "ioredis";
import { describe, expect, it, onTestFinished } from "vitest";
import { freePort } from "../../../tests/services/server-process.ts";
import { findValkey, type ValkeyServer } from "../../../tests/services/valkey.ts";
import { valkey, type ValkeyTarget } from "../src/index.ts";

const found = await findValkey();

async function serverWith(...args: readonly string[]): Promise<ValkeyServer> {
  const server = await found.service!.start({ args });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

async function open(target: ValkeyTarget, prefix = "test"): Promise<Provider> {
  const provider = valkey(target, { prefix });
  await provider.open({ runtime: systemRuntime() });
  onTestFinished(() => provider.close());
  return provider;
}

describe("options that make no sense are refused at once", () => {
  it.each([
    ["postgres://localhost/app", "redis://"],
    ["localhost:6379", "redis://"],
    ["", "redis://"],
    [42, "takes a URL"],
    [null, "takes a URL"],
    [{ keyPrefix: "app:" }, "keyPrefix"],
  ])("%j", (target, says) => {
    expect(() => valkey(target as string)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    expect(() => valkey(target as string)).toThrow(says);
  });

  it.each([{ prefix: "" }, { prefix: "{a}" }, { prefix: "x".repeat(101) }, { prefix: 1 }, { ttl: 1 }])(
    "%j",
    (options) => {
      expect(() => valkey("redis://localhost", options as object)).toThrow(
        expect.objectContaining({ code: "INVALID_OPTION" }),
      );
    },
  );
});

describe.skipIf(!found.available)(`a server ${found.reason}`, () => {
  it("that is not there", async () => {
    await expect(open(`redis://127.0.0.1:${await freePort()}`)).rejects.toMatchObject({
      code: "STORE_UNREACHABLE",
      transient: true,
      message: expect.stringContaining("nothing answers there: check the URL, and that the server runs"),
    });
  });

  it("whose host does not exist", async () => {
    await expect(open("redis://no-such-host.invalid:6379")).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
  });

  it("that speaks something else", async () => {
    const http: Server = createServer((_, answer) => answer.end("hello"));
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void http.close());
    const { port } = http.address() as AddressInfo;
    await expect(open(`redis://127.0.0.1:${port}`)).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
  });

  it("that requires a password, which is not told to anyone", async () => {
    const server = await serverWith("--requirepass", "sesame");
    await expect(open(server.url)).rejects.toMatchObject({
      code: "STORE_UNAUTHORIZED",
      transient: false,
      message: expect.stringContaining("redis://:password@host:6379"),
    });
    const wrong = open(`redis://:swordfish@127.0.0.1:${server.port}`);
    await expect(wrong).rejects.toMatchObject({ code: "STORE_UNAUTHORIZED" });
    await expect(wrong).rejects.not.toThrow(/swordfish/u);
    const { port } = server;
    const others: readonly ValkeyTarget[] = [
      `redis://nobody:sesame@127.0.0.1:${port}`,
      { host: "127.0.0.1", port, password: "swordfish" },
      new Redis({ host: "127.0.0.1", port, password: "swordfish", lazyConnect: true }),
    ];
    for (const other of others) {
      const refused = open(other);
      await expect(refused).rejects.toMatchObject({
        code: "STORE_UNAUTHORIZED",
        transient: false,
        message: expect.stringMatching(/^Valkey at 127\.0\.0\.1:\d+: .*in the URL or the options$/u),
      });
      await expect(refused).rejects.not.toThrow(/swordfish|sesame/u);
    }
    const provider = await open(`redis://:sesame@127.0.0.1:${server.port}`);
    await provider.ping();
  });

  it("that is a replica, also one that takes writes", async () => {
    const primary = await serverWith();
    for (const readOnly of ["yes", "no"]) {
      const replicaOf = ["--replicaof", `127.0.0.1 ${primary.port}`, "--replica-read-only", readOnly];
      const replica = await serverWith(...replicaOf);
      await expect(open(replica.url)).rejects.toMatchObject({
        code: "STORE_READ_ONLY",
        message: expect.stringContaining("name the primary"),
      });
    }
  });

  it("whose user may not do what is needed", async () => {
    const server = await serverWith();
    await server.command("ACL", "SETUSER", "app", "on", ">pw", "~other:*", "&*", "+@all");
    await expect(open(`redis://app:pw@127.0.0.1:${server.port}`)).rejects.toMatchObject({
      code: "STORE_FORBIDDEN",
      message: expect.stringContaining("~{wfe}:*"),
    });
    await server.command("ACL", "SETUSER", "app", "~{test}:*", "resetchannels", "&{test}:*", "-@dangerous");
    const provider = await open(`redis://app:pw@127.0.0.1:${server.port}`);
    await provider.lock?.openLease({ ttlMs: 1_000, holder: { host: "a", process: null } });
  });

  it("whose memory is full", async () => {
    const server = await serverWith("--maxmemory", "1mb", "--maxmemory-policy", "noeviction");
    await expect(open(server.url)).rejects.toMatchObject({ code: "STORE_FULL" });
  });

  it("takes a client of the application's, whose settings it copies and which it leaves alone", async () => {
    const server = await serverWith("--requirepass", "sesame");
    const client = new Redis({ host: "127.0.0.1", port: server.port, password: "sesame", db: 3, lazyConnect: true });
    onTestFinished(() => client.disconnect());
    await client.connect();
    const provider = valkey(client, { prefix: "mine" });
    await provider.open({ runtime: systemRuntime() });
    await provider.lock!.openLease({ ttlMs: 1_000, holder: { host: "a", process: null } });
    const keys = await client.keys("*");
    expect(keys.filter((key) => !key.startsWith("{mine}:"))).toEqual([]);
    expect(keys.some((key) => key.startsWith("{mine}:lease:"))).toBe(true);
    await provider.close();
    expect(await client.ping()).toBe("PONG");
  });
});

describe.skipIf(!found.available)("a server that goes away and comes back", () => {
  it("is told at once, and is used again without a word", async () => {
    const server = await serverWith();
    const provider = await open(server.url);
    const lock = provider.lock!;
    const lease = await lock.openLease({ ttlMs: 60_000, holder: { host: "a", process: null } });
    await server.stop();
    await expect(lock.renewLeases([lease])).rejects.toMatchObject({ code: "STORE_UNREACHABLE", transient: true });
    await expect(provider.ping()).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    const since = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { user, system } = process.cpuUsage(since);
    expect((user + system) / 1_000).toBeLessThan(250);

    let hints = 0;
    provider.queue!.hints(() => {
      hints += 1;
    });
    await server.start();
    await server.until(() =>
      provider
        .ping()
        .then(() => true)
        .catch(() => false),
    );
    // It has lost everything, and nothing brings the lease back.
    expect(await lock.renewLeases([lease])).toEqual([false]);
    expect(await lock.reap([lease.id])).toEqual([lease.id]);
    await server.until(async () => hints > 0);
    await provider.queue!.push([{ run: 1, priority: 0, dueAt: 0 }]);
    const before = hints;
    await server.until(async () => hints > before);
  });

  it("and answers nothing meanwhile, with its connections open", async () => {
    const server = await serverWith();
    const provider = await open(server.url);
    server.freeze();
    await expect(provider.ping()).rejects.toMatchObject({ code: "STORE_UNREACHABLE" });
    server.thaw();
    await server.until(() =>
      provider
        .ping()
        .then(() => true)
        .catch(() => false),
    );
  }, 20_000);

  it("and forgets its scripts, or all its data", async () => {
    const server = await serverWith();
    const { lock } = await open(server.url);
    const lease = await lock!.openLease({ ttlMs: 60_000, holder: { host: "a", process: null } });
    await server.command("SCRIPT", "FLUSH");
    expect(await lock!.renewLeases([lease])).toEqual([true]);
    expect(await lock!.acquire(["role"], lease)).toEqual([true]);
    await server.command("FLUSHALL");
    expect(await lock!.renewLeases([lease])).toEqual([false]);
    expect(await lock!.acquire(["role"], lease)).toEqual([false]);
    expect(await server.command("DBSIZE")).toBe(0);
  });
});

describe.skipIf(!found.available)("the server's clock", () => {
  it("ends leases, whatever the clocks of hosts show", async () => {
    const server = await serverWith();
    const { lock } = await open(server.url);
    const short = await lock!.openLease({ ttlMs: 150, holder: { host: "a", process: null } });
    const long = await lock!.openLease({ ttlMs: 60_000, holder: { host: "a", process: null } });
    expect(await lock!.acquire(["role"], short)).toEqual([true]);
    expect(await lock!.reap([short.id, long.id])).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await lock!.acquire(["role"], long)).toEqual([true]);
    expect(await lock!.reap([short.id, long.id])).toEqual([short.id]);
    // The server itself drops what nobody declares dead.
    expect(Number(await server.command("PTTL", `{test}:lease:${long.id}`))).toBeGreaterThan(60_000);
  });
});
