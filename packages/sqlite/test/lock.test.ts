import { readFileSync, readlinkSync } from "node:fs";
import { isProvenGone, type LockProvider, type ProcessIdentity } from "@wfe/core/providers";
import { describe, expect, it } from "vitest";
import { open, startChild } from "./stage.ts";

function identityOf(pid: number): ProcessIdentity {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  return {
    pid,
    bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
    pidNamespace: readlinkSync(`/proc/${pid}/ns/pid`),
    startedAt: stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "",
  };
}

describe.runIf(process.platform === "linux")("a process", { timeout: 60_000 }, () => {
  it("is proven gone when it has ended, and not before", async () => {
    const child = startChild(new URL("./children/sleep.ts", import.meta.url));
    await child.until((lines) => lines.length > 0);
    const identity = identityOf(child.pid);
    expect(isProvenGone(identity, null)).toBe(false);
    await child.kill();
    expect(isProvenGone(identity, null)).toBe(true);
  });

  it("is proven gone when another one has its number", () => {
    const own = identityOf(process.pid);
    expect(isProvenGone(own, null)).toBe(false);
    expect(isProvenGone({ ...own, startedAt: "1" }, null)).toBe(true);
  });

  it("is never proven gone on another machine, in another container, or before another boot", () => {
    const gone = { ...identityOf(process.pid), startedAt: "1" };
    expect(isProvenGone({ ...gone, bootId: "other" }, null)).toBe(false);
    expect(isProvenGone({ ...gone, pidNamespace: "pid:[1]" }, null)).toBe(false);
    expect(isProvenGone({ ...gone, bootId: "" }, { ...gone, bootId: "" })).toBe(false);
  });

  it("that ended without notice loses its lease at once, and its keys", async () => {
    const { provider } = await open();
    const lock = provider.lock as LockProvider;
    const child = startChild(new URL("./children/sleep.ts", import.meta.url));
    await child.until((lines) => lines.length > 0);
    const theirs = await lock.openLease({ ttlMs: 60_000, holder: { host: "h", process: identityOf(child.pid) } });
    const ours = await lock.openLease({ ttlMs: 60_000, holder: { host: "h", process: identityOf(process.pid) } });
    expect(await lock.acquire(["sweeper"], theirs)).toEqual([true]);
    expect(await lock.reap([theirs.id, ours.id])).toEqual([]);
    await child.kill();
    expect(await lock.reap([theirs.id, ours.id])).toEqual([theirs.id]);
    expect(await lock.renewLeases([theirs, ours])).toEqual([false, true]);
    expect(await lock.acquire(["sweeper"], ours)).toEqual([true]);
  });
});
