import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { DeniedAccess } from "../../src/deno/audit.ts";
import { denoBinary } from "../../src/deno/deno-binary.ts";
import { isAllowedModule, moduleProblem } from "../../src/deno/modules.ts";
import { parseNetGrant } from "../../src/deno/net-grants.ts";
import { runDeno, type DenoPermissions } from "../../src/deno/run-deno.ts";
import { scriptImports } from "../../src/deno/script-imports.ts";
import { deniedAddresses, isSpecialAddress } from "../../src/deno/special-addresses.ts";
import { describeDeno } from "./has-deno.ts";

describe("the binary", () => {
  it("that is not installed is an error that says what to install", () => {
    expect(() => denoBinary("file:///nowhere/at/all.js")).toThrow(
      /need the optional package `deno`.* run `npm install` without `--omit=optional`/,
    );
  });
});

describe("denied addresses", () => {
  it("are whole ranges, with holes for those that are granted", () => {
    expect(deniedAddresses([])).toEqual(
      expect.arrayContaining(["127.0.0.0/8", "10.0.0.0/8", "0.0.0.0/8", "169.254.0.0/16", "[::1]", "[::]"]),
    );
    const denied = deniedAddresses(["10.0.0.5", "::1"]);
    expect(denied).not.toContain("[::1]");
    expect(denied).not.toContain("10.0.0.0/8");
    expect(denied).toEqual(expect.arrayContaining(["10.0.0.4/32", "10.0.0.6/31", "10.128.0.0/9"]));
    expect(denied).not.toContain("10.0.0.5/32");
  });

  it("are told from others", () => {
    for (const address of [
      "127.0.0.1",
      "10.1.2.3",
      "172.31.0.1",
      "192.168.1.1",
      "169.254.169.254",
      "100.64.0.1",
      "0.0.0.0",
      "::1",
      "fd00::1",
      "fe80::1",
    ]) {
      expect(isSpecialAddress(address), address).toBe(true);
    }
    for (const address of ["1.1.1.1", "172.32.0.1", "192.169.0.1", "2606:4700::1111"])
      expect(isSpecialAddress(address), address).toBe(false);
  });
});

it.each([
  ["example.com", { host: "example.com", port: undefined }],
  ["https://Example.com", { host: "example.com", port: undefined }],
  ["https://example.com:8443/", { host: "example.com", port: 8443 }],
  ["*.example.com", { host: "*.example.com", port: undefined }],
  ["[::1]:80", { host: "::1", port: 80 }],
  ["127.0.0.1:5000", { host: "127.0.0.1", port: 5000 }],
])("a host of `net` is read: %s", (entry, grant) => expect(parseNetGrant(entry)).toEqual(grant));

it.each([
  "*",
  "",
  "a b",
  "http://user:pw@host",
  "example.com/path",
  "host:0",
  "host:99999",
  "a,b",
  "-x",
  "10.0.0.0/8",
  "[x]",
])("what is no host in `net` is refused: %j", (entry) => expect(parseNetGrant(entry)).toHaveProperty("problem"));

it("modules are allowed by name, by version and by beginning", () => {
  const allowed = ["npm:ms", "npm:@scope/*", "https://esm.sh/*", "npm:left-pad@1.3.0"];
  for (const each of [
    "npm:ms",
    "npm:ms@2.1.3",
    "npm:ms/sub",
    "npm:@scope/a@1",
    "https://esm.sh/x",
    "npm:left-pad@1.3.0",
  ]) {
    expect(isAllowedModule(each, allowed), each).toBe(true);
  }
  for (const each of ["npm:msx", "npm:left-pad", "npm:left-pad@1.4.0", "https://esm.sh.evil.com/x", "jsr:@std/path"]) {
    expect(isAllowedModule(each, allowed), each).toBe(false);
  }
  for (const each of ["left-pad", "file:///x", "npm:", "--allow-all", "npm:a b", "data:text/javascript,1"])
    expect(moduleProblem(each), each).toBeDefined();
});

it("imports of a script are found where they are imports", () => {
  const source =
    'import a from "npm:a"; const s = "import(\'x\')"; /* import("y") */ const t = `${await import("z")}`; import.meta.url';
  expect(scriptImports(source).map(({ specifier, dynamic }) => [specifier, dynamic])).toEqual([
    ["npm:a", false],
    ["z", true],
  ]);
  expect(scriptImports('const a = ; " import("x")')).toEqual([{ offset: 14, specifier: undefined, dynamic: true }]);
});

describeDeno("what a script is granted", () => {
  let root = "";
  let server: Server;
  let port = 0;
  beforeAll(async () => {
    root = realpathSync(mkdtempSync(join(tmpdir(), "wfe-grants-")));
    for (const name of ["in", "in/sub", "out", "linked"]) mkdirSync(join(root, name));
    writeFileSync(join(root, "in/a.txt"), "in");
    writeFileSync(join(root, "out/b.txt"), "out");
    symlinkSync("../out/b.txt", join(root, "linked/link"));
    symlinkSync("a.txt", join(root, "in/inner"));
    symlinkSync("in", join(root, "alias"));
    symlinkSync("/nowhere/at/all", join(root, "dangling"));
    server = createServer((_request, response) => response.end("hello"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve));
    rmSync(root, { recursive: true, force: true });
  });

  const attempt = async (
    expression: string,
    permissions: DenoPermissions,
    more: object = {},
  ): Promise<{ got: unknown; denied: readonly DeniedAccess[] }> => {
    let denied: readonly DeniedAccess[] = [];
    const { outputs } = await runDeno({
      script: `try { output("got", ${expression}) } catch (error) { output("got", error.message) }`,
      folder: root,
      permissions,
      onDenied: (all) => (denied = all),
      ...more,
    });
    return { got: outputs["got"], denied };
  };

  it("is that, and no more: files", async () => {
    expect(await attempt('await readFile("' + join(root, "in/inner") + '")', { read: ["in"] })).toEqual({
      got: "in",
      denied: [],
    });
    expect((await attempt(`await readFile(${JSON.stringify(join(root, "in/a.txt"))})`, { read: ["alias"] })).got).toBe(
      "in",
    );
    // By the path that is granted, relative as it is.
    expect((await attempt('await readFile("in/inner")', { read: ["in"] })).got).toBe("in");
    expect((await attempt("await Deno.readTextFile(`${Wfe.folder}/in/a.txt`)", { read: ["in"] })).got).toBe("in");
    await expect(
      runDeno({ script: 'await Deno.readTextFile("in/inner")', folder: root, permissions: { read: ["in"] } }),
    ).rejects.toThrow(`granted to read: ${join(realpathSync(root), "in")} `);
    const file = join(root, "out/b.txt");
    const { got, denied } = await attempt(`await readFile(${JSON.stringify(file)})`, { read: ["in"] });
    expect(got).toContain("Permission denied");
    expect(denied).toEqual([{ permission: "read", value: file }]);
    expect(
      (await attempt(`await Deno.writeTextFile(${JSON.stringify(join(root, "in/a.txt"))}, "x")`, { read: ["in"] })).got,
    ).toContain("Permission denied");
    await attempt(`await Deno.writeTextFile(${JSON.stringify(join(root, "in/sub/new"))}, "x")`, { write: ["in/sub"] });
    expect(readFileSync(join(root, "in/sub/new"), "utf8")).toBe("x");
  });

  it("is that, and no more: hosts", async () => {
    const fetched = `await (await fetch("http://localhost:${port}/")).text()`;
    expect((await attempt(fetched, { net: [`http://localhost:${port}`] })).got).toBe("hello");
    expect((await attempt(fetched, { net: ["localhost"] })).got).toBe("hello");
    expect(
      (await attempt(`await (await fetch("http://127.0.0.1:${port}/")).text()`, { net: [`127.0.0.1:${port}`] })).got,
    ).toBe("hello");
    const other = await attempt(`await (await fetch("http://127.0.0.1:${port}/")).text()`, { net: ["example.com"] });
    expect(other.got).toContain("Permission denied");
    expect(other.denied).toEqual([{ permission: "net", value: `127.0.0.1:${port}` }]);
    expect((await attempt(fetched, { net: ["localhost:1"] })).got).toContain("Permission denied");
    // One granted address is no key to the others.
    expect(
      (await attempt(`await (await fetch("http://127.0.0.2:${port}/")).text()`, { net: ["127.0.0.1"] })).got,
    ).toContain("Permission denied");
  });

  it("is that, and no more: variables", async () => {
    const hostEnv = { A: "a", B: "b" };
    const both =
      '[Deno.env.get("A"), (() => { try { return Deno.env.get("B") } catch (error) { return error.message } })(), Deno.env.get("C")]';
    const { got } = await attempt(both, { env: ["A"] }, { hostEnv, env: { C: "c" } });
    expect(got).toEqual(["a", expect.stringContaining("Permission denied"), "c"]);
    await expect(attempt("1", { env: ["LD_PRELOAD"] })).rejects.toThrow(/changes how Deno itself runs/);
    await expect(attempt("1", {}, { env: { DENO_DIR: "/tmp" } })).rejects.toThrow(/changes how Deno itself runs/);
  });

  it.each([
    ["a link in the folder leads out of it", { read: ["linked"] }, /the link `.*linked\/link` in it leads out of it/],
    ["it is a link to nowhere", { write: ["dangling"] }, /does not exist/],
    ["it is not there", { read: ["missing"] }, /does not exist/],
    ["its folder is not there", { write: ["missing/file"] }, /its folder does not exist/],
    ["it is everything", { read: ["/"] }, /temporary files of other steps/],
    ["it is the temporary folder", { read: [tmpdir()] }, /temporary files of other steps/],
    ["it is the kernel's", { read: ["/proc/self"] }, /belongs to the kernel/],
    ["it is a device", { write: ["/dev/null"] }, /belongs to the kernel/],
  ])("is refused where %s", async (_why, permissions, message) => {
    await expect(attempt("1", permissions)).rejects.toMatchObject({
      code: "DENO_GRANT",
      message: expect.stringMatching(message) as string,
    });
  });

  it("lies in what the host allows", async () => {
    await expect(attempt("1", { read: ["out"] }, { roots: [join(root, "in")] })).rejects.toThrow(
      /the host grants paths in/,
    );
    await expect(attempt("1", { read: ["in/../out"] }, { roots: [join(root, "in")] })).rejects.toThrow(
      /the host grants paths in/,
    );
    expect((await attempt("1", { read: ["in/sub"] }, { roots: [join(root, "in")] })).got).toBe(1);
  });
});
