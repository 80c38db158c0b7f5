import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runDeno } from "../../src/deno/run-deno.ts";
import { attempts } from "./escape-attempts.ts";
import { describeDeno } from "./has-deno.ts";

describeDeno("a script that tries to get out", () => {
  let root = "";
  let server: Server;
  let requests = 0;
  beforeAll(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "wfe-escape-")));
    mkdirSync(join(root, "granted"));
    writeFileSync(join(root, "secret.txt"), "SECRET=planted-secret\n");
    writeFileSync(join(root, "secret.json"), '{"a":"planted-secret"}');
    writeFileSync(join(root, "module.ts"), "export default 'planted-secret'");
    process.env["WFE_TEST_SECRET"] = "planted-secret";
    server = createServer((_request, response) => {
      requests++;
      response.setHeader("content-type", "text/javascript").end("export default 'planted-secret'");
    });
    await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  });
  afterAll(async () => {
    delete process.env["WFE_TEST_SECRET"];
    await new Promise((resolve) => server.close(resolve));
    rmSync(root, { recursive: true, force: true });
  });

  /** Each attempt ends on its own; one that hangs is a refusal as good as others. */
  const script = (dynamicImport: boolean, tried = attempts): string => {
    const port = (server.address() as AddressInfo).port;
    return [
      `const secretFile = ${JSON.stringify(join(root, "secret.txt"))}, secretJson = ${JSON.stringify(join(root, "secret.json"))};`,
      `const folder = ${JSON.stringify(join(root, "granted"))}, port = ${port}, hostPid = ${process.pid};`,
      "import process from 'node:process';",
      "const text = (got) => { try { return String(typeof got === 'object' ? Deno.inspect(got) : got).slice(0, 200) } catch { return 'something' } };",
      "const attempt = (name, run) => Promise.race([",
      "  (async () => { try { const got = await run(); output(name, got === undefined ? 'nothing' : 'GOT ' + text(got)); } catch (error) { output(name, 'refused: ' + text(error?.message ?? error)); } })(),",
      "  new Promise((resolve) => setTimeout(resolve, 3000)),",
      "]);",
      ...tried.map(({ run, alone }, at) => (alone === true ? "" : `await attempt("a${at}", async () => { ${run} });`)),
      // What still listens or waits is not waited for.
      `output("dynamic", ${dynamicImport});`,
    ].join("\n");
  };

  const grants = (): { read: string[]; write: string[] } => ({
    read: [join(root, "granted")],
    write: [join(root, "granted")],
  });

  it.each([false, true])(
    `gets nothing in any of ${attempts.length} ways (with \`dynamic_import\`: %s)`,
    async (dynamicImport) => {
      const lines: string[] = [];
      const { outputs } = await runDeno({
        script: script(dynamicImport),
        typescript: false,
        folder: root,
        permissions: { ...grants(), dynamicImport },
        timeoutMs: 60_000,
        write: (_stream, line) => lines.push(line),
      });
      expect(attempts.length).toBeGreaterThanOrEqual(80);
      const got = attempts.flatMap(({ name }, at) => {
        const answer = (outputs[`a${at}`] ?? "no answer") as string;
        // Code from strings is what `dynamic_import` grants; it may do no more than other code.
        const isGranted = dynamicImport && /string/.test(name);
        return answer.startsWith("GOT ") && !isGranted ? [`${name}: ${answer}`] : [];
      });
      expect(got).toEqual([]);
      expect(outputs["dynamic"]).toBe(dynamicImport);
      expect(JSON.stringify([outputs, lines])).not.toContain("planted-secret");
      expect(requests).toBe(0);
      expect(readFileSync(join(root, "secret.txt"), "utf8")).toBe("SECRET=planted-secret\n");
      expect(existsSync(join(root, "secret.txt.new"))).toBe(false);
      expect(existsSync(join(root, "new.db"))).toBe(false);
      expect(readdirSync(join(root, "granted"))).toEqual([]);
    },
  );

  it("gets nothing where its process does not survive the attempt", async () => {
    for (const { run } of attempts.filter(({ alone }) => alone === true)) {
      const lines: string[] = [];
      const result = runDeno({
        script: `${script(true, [])}\noutput("got", await (async () => { ${run} })())`,
        typescript: false,
        folder: root,
        permissions: { ...grants(), dynamicImport: true },
        write: (_stream, line) => lines.push(line),
      });
      await expect(result).rejects.toMatchObject({
        code: expect.stringMatching(/^DENO_(MEMORY_LIMIT|SCRIPT_FAILED|NO_RESULT)$/) as string,
      });
      expect(lines.join("")).not.toContain("planted-secret");
    }
  });

  it("is a test that could fail: with the file granted, it is read", async () => {
    const { outputs } = await runDeno({
      script: `output("a", await readFile(${JSON.stringify(join(root, "secret.txt"))}))`,
      folder: root,
      permissions: { read: ["secret.txt"] },
    });
    expect(outputs["a"]).toContain("planted-secret");
  });

  it.each([
    ["JSON", (file: string) => `import j from "file://${file}" with { type: "json" }; output("got", j)`, "secret.json"],
    ["text", (file: string) => `import j from "file://${file}" with { type: "text" }; output("got", j)`, "secret.txt"],
    ["a module", (file: string) => `import j from "file://${file}"; output("got", j)`, "module.ts"],
    [
      "a module of an import host",
      () => 'import * as j from "https://deno.land/std@0.224.0/version.ts"; output("got", j)',
      "",
    ],
    ["a package", () => 'import * as j from "npm:left-pad@1.3.0"; output("got", j)', ""],
    ["a file again, by export", (file: string) => `export * from "file://${file}"; output("got", 1)`, "module.ts"],
  ])("cannot import %s statically", async (_name, script, file) => {
    await expect(
      runDeno({ script: script(join(root, file)), folder: root, permissions: grants() }),
    ).rejects.toMatchObject({
      code: "DENO_SCRIPT_FAILED",
      message: expect.not.stringContaining("planted-secret") as string,
    });
  });
});
