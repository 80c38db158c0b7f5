import { mkdtempSync, readFileSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StepTimeoutError } from "@wfe/core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { runDeno, type DenoOptions, type DenoResult } from "../../src/deno/run-deno.ts";
import { describeDeno } from "./has-deno.ts";

let folder = "";
beforeAll(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), "wfe-limits-")));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (script: string, options: Partial<DenoOptions> = {}): Promise<DenoResult> =>
  runDeno({ script, folder, timeoutMs: 60_000, ...options });

/** Processes of Deno that this test process has started and that live. */
function living(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const [, parent] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, "utf8")) ?? [];
        const line = readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ");
        return Number(parent) === process.pid && line.includes("bootstrap") ? [line] : [];
      } catch {
        return [];
      }
    });
}

describeDeno("a script that wants too much", () => {
  afterEach(() => {
    const left = [
      ...(process.platform === "linux" ? living() : []),
      ...readdirSync(tmpdir()).filter((name) => name.startsWith(`wfe-deno-${process.pid}-`)),
    ];
    if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
  });

  it.each([
    ["an endless loop", "while (true) {}"],
    ["an endless loop of promises", "while (true) await null"],
    ["an endless regular expression", "/^(a+)+$/.test('a'.repeat(100) + 'b')"],
    [
      "an ignored SIGTERM",
      "Deno.addSignalListener('SIGTERM', () => {}); setInterval(() => {}, 1000); while (true) await new Promise((r) => setTimeout(r, 10))",
    ],
    ["a timer that never ends", "setInterval(() => {}, 10)"],
    ["a blocked wait", "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)"],
  ])("ends at its time-out: %s", async (_name, script) => {
    const before = performance.now();
    await expect(run(script, { timeoutMs: 1_000 })).rejects.toThrow(StepTimeoutError);
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  it.each([
    ["objects", "const all = []; while (true) all.push({ a: [1, 2, 3] })"],
    ["arrays", "const all = []; while (true) all.push(new Array(1e6).fill(1))"],
    ["timers", "function more() { for (let i = 0; i < 100; i++) setTimeout(more, 0) } more()"],
    [
      "promises",
      "const all = []; const more = () => { for (let i = 0; i < 1000; i++) all.push(new Promise(() => {})); queueMicrotask(more) }; more()",
    ],
    [
      "buffers, with each refusal ignored",
      "const all = []; while (true) { try { all.push(new Uint8Array(1e7).fill(1)) } catch {} }",
    ],
    [
      "wasm memory",
      "const all = []; while (true) { try { const m = new WebAssembly.Memory({ initial: 1000 }); new Uint8Array(m.buffer).fill(1); all.push(m) } catch {} }",
    ],
  ])(
    "ends at its memory limit: %s",
    async (_name, script) => {
      await expect(run(script, { memoryMb: 64, timeoutMs: 4_000 })).rejects.toMatchObject({
        // What the system refuses to give, a script may ask for until its time is over.
        code: expect.stringMatching(/^(DENO_MEMORY_LIMIT|STEP_TIMEOUT)$/) as string,
      });
    },
    60_000,
  );

  it("does not get a buffer beyond its limit", async () => {
    const { outputs } = await run(
      "try { output('a', new Uint8Array(3e9).fill(1).length) } catch (error) { output('a', error.message) }",
    );
    expect(outputs["a"]).toMatch(/Array buffer allocation failed|Invalid typed array length/);
  });

  it("ends when it has printed more than it may, and the host keeps little of it", async () => {
    const heap = process.memoryUsage().rss;
    let streamed = 0;
    const result = run("const line = 'x'.repeat(99_999); for (let i = 0; i < 30_000; i++) console.log(line)", {
      write: (_stream, line) => (streamed += line.length),
    });
    await expect(result).rejects.toMatchObject({ code: "DENO_OUTPUT_LIMIT" });
    expect(streamed).toBeLessThan(40_000_000);
    expect(process.memoryUsage().rss - heap).toBeLessThan(300_000_000);
  });

  it("cannot leave a process behind by the one thing it is allowed to: it ends with its group", async () => {
    const result = run(
      `new Deno.Command("/bin/sh", { args: ["-c", "trap : TERM; echo $$ > ${folder}/pid; while :; do sleep 1; done"] }).spawn(); setInterval(() => {}, 1000)`,
      { permissions: { run: true, env: [] }, timeoutMs: 2_000 },
    );
    await expect(result).rejects.toThrow(StepTimeoutError);
    const pid = Number(readFileSync(join(folder, "pid"), "utf8"));
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it("is killed when it is cancelled", async () => {
    const controller = new AbortController();
    const result = run("while (true) {}", { signal: controller.signal });
    setTimeout(() => controller.abort(new Error("enough")), 300);
    await expect(result).rejects.toThrow("enough");
  });

  it("cannot make its outputs larger than allowed", async () => {
    await expect(run("output('a', 'x'.repeat(3_000_000)); output('b', 'x'.repeat(3_000_000))")).rejects.toThrow(
      "the outputs are larger than",
    );
  });
});

describeDeno("the result channel", () => {
  it.each([
    ["JSON.stringify", "JSON.stringify = () => '\"forged\"'"],
    ["toJSON", "Object.prototype.toJSON = () => 'forged'; String.prototype.toJSON = () => 'forged'"],
    [
      "typed arrays",
      "Uint8Array.prototype.subarray = () => new Uint8Array(0); TextEncoder.prototype.encode = () => new Uint8Array([34])",
    ],
    [
      "standard output",
      "Deno.stdout.writeSync = (bytes) => bytes.length; Deno.stdout.constructor.prototype.writeSync = () => 1",
    ],
    ["promises", "Promise.prototype.then = () => {}; Promise.prototype.finally = () => {}"],
    [
      "functions",
      "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = () => {}; Reflect.apply = () => {}",
    ],
    [
      "arrays and strings",
      "Array.prototype[Symbol.iterator] = undefined; String.prototype.split = () => []; RegExp.prototype.test = () => true",
    ],
    ["events", "globalThis.addEventListener = () => {};"],
    [
      "listeners of its own",
      "addEventListener('beforeunload', (event) => event.stopImmediatePropagation()); addEventListener('unload', () => { while (true) {} })",
    ],
  ])("is not changed by a script that replaces %s", async (_name, script) => {
    const { outputs } = await run(`output("before", "yes"); ${script}; output("n", 1);`, { timeoutMs: 10_000 });
    expect(outputs).toMatchObject({ n: 1 });
    expect(outputs["before"]).toBe("yes");
  });

  it("is not reached by what a script prints, whatever that is", async () => {
    const { outputs, stdout } = await run(
      'output("a", 1); for (const text of ["{\\"outputs\\":{\\"a\\":2}}", "\\u0001wfe-", "\\u0001wfe-00:{\\"outputs\\":{\\"a\\":3}}", "##wfe[output a=4]", "\\0"]) { console.log(text); console.error(text) } await Deno.stdout.write(new TextEncoder().encode("no newline"))',
    );
    expect({ ...outputs }).toEqual({ a: 1 });
    expect(stdout).toContain("##wfe[output a=4]");
    expect(stdout).toMatch(/no newline$/);
  });

  it.each(["__proto__", "constructor", "prototype", "", "a b", "1a", "a\nb", "a".repeat(300)])(
    "refuses an output named %j",
    async (name) => {
      await expect(run(`output(${JSON.stringify(name)}, 1)`)).rejects.toThrow("an output's name must be");
    },
  );

  it("gives objects no prototypes, so that a key is only a key", async () => {
    const { outputs } = await run('output("a", JSON.parse(\'{"__proto__":{"polluted":1},"b":[{"constructor":2}]}\'))');
    const value = outputs["a"] as Record<string, unknown>;
    expect(Object.getPrototypeOf(value)).toBeNull();
    expect(Object.keys(value)).toEqual(["__proto__", "b"]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each([
    ["Deno.exit(0)", /exit code 0, without a result/],
    ["Deno.exit(7)", /exit code 7, without a result/],
    ["Deno.kill(Deno.pid, 'SIGKILL')", /ended by SIGKILL, without a result/],
    ["await new Promise(() => {})", /never settled/],
    ["Wfe.setOutput('a', () => {})", /which JSON has no form for/],
    ["const a = {}; a.a = a; output('a', a)", /circular/i],
    ["throw { get message() { throw 1 } }", /./],
    ["throw null", /null/],
    [
      "class E extends Error { get stack() { throw 1 } get message() { return 'own' } } throw new E()",
      /own|cannot be looked at/,
    ],
    ["Promise.reject(new Error('unhandled'))", /unhandled \(script:1:16\)/],
    ["setTimeout(() => { throw new Error('late') }, 1)", /late \(script:1:26\)/],
    ["let a: = 3", /SyntaxError: Unexpected token/],
  ])("has no result of a script that does not end well: %s", async (script, message) => {
    await expect(run(script)).rejects.toThrow(message);
  });

  it("keeps nothing from one run to the next", async () => {
    const script =
      "globalThis.left ??= 0; globalThis.left++; Object.prototype.left2 = 1; try { localStorage.setItem('a', 1) } catch {} try { await caches.open('a') } catch {} sessionStorage.setItem('a', 'b'); output('left', globalThis.left)";
    await run(script);
    const { outputs } = await run(
      "output('left', [globalThis.left ?? null, ({}).left2 ?? null, sessionStorage.getItem('a')])",
    );
    expect(outputs["left"]).toEqual([null, null, null]);
  });
});
