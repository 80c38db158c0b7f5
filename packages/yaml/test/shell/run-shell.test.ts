import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StepAbortedError, StepTimeoutError } from "@wfe/core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { runShell, type ShellOptions, type ShellResult } from "../../src/shell/run-shell.ts";

let root = "";
let folder = "";
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "wfe-shell-test-"));
});
beforeEach(() => {
  folder = mkdtempSync(join(root, "step-"));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const env = { PATH: process.env["PATH"] ?? "/usr/bin:/bin" };
const run = (text: string, options: Partial<ShellOptions> = {}): Promise<ShellResult> =>
  runShell({ run: text, workingDir: folder, env, ...options });

/** The processes that a step noted in files named `pid*`, and that live. */
function living(): number[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith("pid"))
    .map((name) => Number(readFileSync(join(folder, name), "utf8")))
    .filter((pid) => {
      try {
        // One that is dead and not yet waited for has no command line.
        return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
      } catch {
        return false;
      }
    });
}

async function written(...names: string[]): Promise<void> {
  for (
    let at = 0;
    at < 1_000 &&
    !names.every((name) => existsSync(join(folder, name)) && readFileSync(join(folder, name), "utf8") !== "");
    at++
  ) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("a shell", () => {
  it("gives output, exit code and outputs as data", async () => {
    const lines: [string, string][] = [];
    const result = await run(
      'echo one; echo "##wfe[output n=3]"; printf two >&2; echo "file=yes" >> "$WFE_OUTPUT"; printf "text<<E\\na\\nb\\nE\\n" >> "$WFE_OUTPUT"; exit 3',
      { write: (stream, line) => lines.push([stream, line]) },
    );
    expect(result).toEqual({
      exitCode: 3,
      signal: null,
      stdout: "one\n##wfe[output n=3]\n",
      text: "one\n##wfe[output n=3]\n",
      stderr: "two",
      outputs: { n: 3, file: "yes", text: "a\nb" },
    });
    expect(lines.filter(([stream]) => stream === "stdout")).toEqual([
      ["stdout", "one\n"],
      ["stdout", "##wfe[output n=3]\n"],
    ]);
    expect(lines.filter(([stream]) => stream === "stderr")).toEqual([["stderr", "two"]]);
  });

  it("streams a line when it is written, not when the step ends", async () => {
    let firstAt = 0;
    await run("echo first; sleep 0.5; echo second", { write: () => (firstAt ||= performance.now()) });
    expect(performance.now() - firstAt).toBeGreaterThan(300);
  });

  it("runs in its folder, with its environment and no other", async () => {
    const { stdout } = await run("pwd; env", { env: { ...env, A: "b c" } });
    expect(stdout).toContain(folder);
    const names = stdout
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split("=")[0]);
    expect(names.toSorted()).toEqual(["A", "PATH", "PWD", "WFE_OUTPUT", "WFE_STEP_PROCESS"].toSorted());
  });

  it("is the one asked for, with its options", async () => {
    expect((await run("echo $0; false | true; echo no", { shell: ["bash", "-eo", "pipefail"] })).stdout).toBe("bash\n");
    expect((await run("false; echo on")).stdout).toBe("on\n");
  });

  it("says how it ended by a signal", async () => {
    expect(await run("kill -9 $$")).toMatchObject({ exitCode: 137, signal: "SIGKILL" });
  });

  it("runs a text that is longer than an argument may be", async () => {
    const { stdout } = await run(`: ${"x".repeat(300_000)}\necho end`);
    expect(stdout).toBe("end\n");
  });

  it("gives a huge output whole to the stream, and cut with a notice to the data", async () => {
    let length = 0;
    const { stdout } = await run("yes 0123456789 | head -c 4000000", {
      write: (_stream, line) => (length += line.length),
    });
    expect(length).toBe(4_000_000);
    expect(stdout.length).toBeLessThan(140_000);
    expect(stdout).toMatch(/\n\[\.\.\. \d+ characters are left out here/);
  });

  it("leaves no temporary file behind", async () => {
    const { stdout } = await run('echo "$WFE_OUTPUT"');
    expect(existsSync(stdout.trim())).toBe(false);
  });

  it.each([
    ['rm "$WFE_OUTPUT"; mkfifo "$WFE_OUTPUT"'],
    ['rm "$WFE_OUTPUT"; ln -s /etc/passwd "$WFE_OUTPUT"'],
    ['rm "$WFE_OUTPUT"; mkdir "$WFE_OUTPUT"'],
  ])("sets no outputs where its output file is none any more: %s", async (text) => {
    expect((await run(text)).outputs).toEqual({});
  });

  it("fails where its output file is too large, or cannot be read", async () => {
    await expect(run('yes a=b | head -c 2000000 > "$WFE_OUTPUT"')).rejects.toMatchObject({ code: "SHELL_OUTPUT_FILE" });
    await expect(run('echo oops > "$WFE_OUTPUT"')).rejects.toThrow("line 1 of $WFE_OUTPUT");
  });

  it("says what to do where it cannot be started", async () => {
    await expect(run("true", { shell: ["no-such-shell"] })).rejects.toThrow(
      /`no-such-shell` could not be started \(ENOENT\): is it installed/,
    );
    await expect(run("true", { workingDir: join(folder, "nowhere") })).rejects.toThrow(
      /folder `.*nowhere` of the step does not exist/,
    );
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`A${at}`, "x".repeat(100_000)]));
    await expect(run("true", { env: { ...env, ...many } })).rejects.toThrow(/larger than the system takes/);
  });
});

describe("ending a shell", () => {
  // The group's leader, a child, a grandchild that ignores TERM, and one in the background.
  const family = `
    echo $$ > pid1
    sh -c 'echo $$ > pid2; sh -c "trap : TERM; echo \\$\\$ > pid3; while :; do sleep 1; done" & sleep 1000' &
    sleep 1000 & echo $! > pid4
    trap : TERM
    while :; do sleep 1; done
  `;

  it("at its time-out ends the whole group, those that ignore TERM included", async () => {
    const started = performance.now();
    const result = run(family, { timeoutMs: 1_500, graceMs: 300 });
    await expect(result).rejects.toThrow(StepTimeoutError);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(existsSync(join(folder, "pid3"))).toBe(true);
    expect(living()).toEqual([]);
  });

  it("when it is cancelled throws the reason, after all have ended", async () => {
    const controller = new AbortController();
    const result = run(family, { signal: controller.signal, graceMs: 200 });
    await written("pid1", "pid2", "pid3", "pid4");
    expect(living().length).toBe(4);
    const reason = new StepAbortedError("cancelled", "was cancelled");
    controller.abort(reason);
    await expect(result).rejects.toBe(reason);
    expect(living()).toEqual([]);
  });

  it("lets it clean up on TERM", async () => {
    const controller = new AbortController();
    const result = run("trap 'echo cleaned > done; exit 0' TERM; echo > started; sleep 1000 & wait", {
      signal: controller.signal,
    });
    result.catch(() => {});
    await written("started");
    controller.abort(new Error("enough"));
    await expect(result).rejects.toThrow("enough");
    expect(readFileSync(join(folder, "done"), "utf8")).toBe("cleaned\n");
  });

  it("for a host that stops does not take longer than the host waits", async () => {
    const controller = new AbortController();
    const result = run(family, { signal: controller.signal, graceMs: 60_000 });
    result.catch(() => {});
    await written("pid1", "pid2", "pid3", "pid4");
    const before = performance.now();
    controller.abort(new StepAbortedError("stopping", "stops"));
    await expect(result).rejects.toThrow("stops");
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(living()).toEqual([]);
  });

  it("finds those that opened a session of their own", async () => {
    if (process.platform !== "linux") return;
    const result = run('setsid sh -c "echo \\$\\$ > pid1; trap : TERM; while :; do sleep 1; done" & sleep 1000', {
      timeoutMs: 1_000,
      graceMs: 200,
    });
    await expect(result).rejects.toThrow(StepTimeoutError);
    expect(existsSync(join(folder, "pid1"))).toBe(true);
    expect(living()).toEqual([]);
  });

  it("does not begin where it was cancelled before", async () => {
    await expect(run("echo > ran", { signal: AbortSignal.abort(new Error("before")) })).rejects.toThrow("before");
    expect(existsSync(join(folder, "ran"))).toBe(false);
  });

  it("ends what a step leaves in the background, and waits for filters that still write", async () => {
    const before = performance.now();
    const result = await run("sleep 1000 & echo $! > pid1; (sleep 0.1; echo late) &\necho early");
    expect(result).toMatchObject({ exitCode: 0, stdout: "early\nlate\n" });
    expect(performance.now() - before).toBeLessThan(5_000);
    expect(living()).toEqual([]);
  });

  it("ends it with a host that is killed", async () => {
    writeFileSync(
      join(folder, "host.ts"),
      `import { runShell } from ${JSON.stringify(new URL("../../src/shell/run-shell.ts", import.meta.url).href)};
       await runShell({ run: ${JSON.stringify(family)}, workingDir: ${JSON.stringify(folder)}, env: process.env, graceMs: 100 });`,
    );
    const { spawn } = await import("node:child_process");
    const host = spawn(process.execPath, ["--conditions=wfe-source", join(folder, "host.ts")], {
      stdio: "inherit",
      cwd: new URL("../..", import.meta.url),
    });
    await written("pid1", "pid2", "pid3", "pid4");
    expect(living().length).toBe(4);
    host.kill("SIGKILL");
    for (let at = 0; at < 500 && living().length > 0; at++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(living()).toEqual([]);
  });
});
