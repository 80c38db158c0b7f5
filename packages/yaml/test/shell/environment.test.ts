import { describe, expect, it } from "vitest";
import { dataVariableBytes, shellEnvironment, variableName } from "../../src/shell/environment.ts";
import { isReservedName, reservedNames } from "../../src/shell/reserved-names.ts";

describe("the environment of a shell step", () => {
  it("has the data in upper case: scalars as text, other values as JSON", () => {
    const data = {
      name: "ann",
      count: 3,
      ok: false,
      nothing: null,
      list: [1, "a"],
      "build.stdout": "out\n",
      orderId: 7n,
      at: new Date(0),
      map: new Map([["a", 1n]]),
      gone: undefined,
    };
    expect({ ...shellEnvironment({ base: { PATH: "/bin" }, data }) }).toEqual({
      PATH: "/bin",
      NAME: "ann",
      COUNT: "3",
      OK: "false",
      NOTHING: "",
      LIST: '[1,"a"]',
      BUILD_STDOUT: "out\n",
      ORDERID: "7",
      AT: "1970-01-01T00:00:00.000Z",
      MAP: '{"a":"1"}',
    });
  });

  it.each([
    ...[
      "path",
      "Path",
      "ld_preload",
      "LD_LIBRARY_PATH",
      "dyld_insert_libraries",
      "ifs",
      "env",
      "bash_env",
      "bash_func_ls",
      "ps4",
      "node_options",
    ],
    ...[
      "home",
      "shellopts",
      "pythonpath",
      "perl5opt",
      "rubyopt",
      "java_tool_options",
      "git_ssh_command",
      "editor",
      "pager",
      "lessopen",
      "tmpdir",
    ],
    ...[
      "http_proxy",
      "ssl_cert_file",
      "makeflags",
      "rustc_wrapper",
      "goflags",
      "npm_config_registry",
      "deno_dir",
      "wfe_output",
      "wfe_value_1",
      "lc_all",
    ],
    ...["prompt-command", "ld.preload"],
  ])("is never changed by a key of the data that would change how programs load or run: %s", (key) => {
    const name = variableName(key) ?? "";
    expect(isReservedName(name)).toBe(true);
    expect({ ...shellEnvironment({ base: { [name]: "host" }, data: { [key]: "evil" } }) }).toEqual({ [name]: "host" });
  });

  it("leaves usual words to the data", () => {
    const usual = [
      "name",
      "url",
      "version",
      "order",
      "lines",
      "goal",
      "maker",
      "lesson",
      "prompt",
      "reply",
      "node",
      "mail",
      "token",
      "pathway",
      "environment",
    ];
    for (const key of usual) expect(isReservedName(variableName(key) ?? ""), key).toBe(false);
    expect(new Set(reservedNames).size).toBe(reservedNames.length);
  });

  it("leaves out data that no environment can hold, and what would be no name", () => {
    const data = { big: "x".repeat(dataVariableBytes + 1), nul: "a\0b", "1st": "a", "": "b", "%": "c", ok: "y" };
    expect({ ...shellEnvironment({ base: {}, data }) }).toEqual({ OK: "y" });
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`k${at}`, "x".repeat(30_000)]));
    expect(Object.keys(shellEnvironment({ base: {}, data: many })).length).toBeLessThan(20);
  });

  it("has matrix and item, then the step's own variables, whatever their names", () => {
    expect({
      ...shellEnvironment({
        base: { PATH: "/bin", A: "host" },
        data: { a: "data", item: "data", matrix_node: "data" },
        matrix: { node: 22, os: "linux" },
        item: { id: 1 },
        env: { PATH: "/opt/bin", B: true },
      }),
    }).toEqual({ PATH: "/opt/bin", A: "data", ITEM: '{"id":1}', MATRIX_NODE: "22", MATRIX_OS: "linux", B: "true" });
  });

  it("refuses values of the step's own that it cannot hold", () => {
    expect(() => shellEnvironment({ base: {}, env: { A: "a\0" } })).toThrow(/`A` would hold a NUL/);
    expect(() => shellEnvironment({ base: {}, env: { A: "a".repeat(200_000) } })).toThrow(/pass the value in a file/);
  });

  it("keeps `__proto__` a key like others", () => {
    const data = JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":"c"}') as Record<string, unknown>;
    const environment = shellEnvironment({ base: {}, data });
    expect(environment["__PROTO__"]).toBe('{"polluted":"yes"}');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });
});
