import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { InvalidOptionError, parseDuration } from "@wfe/core";
import * as z from "zod";
import { findPlaceholders } from "../expressions/placeholders.ts";
import { duration, flag, scalar, text } from "../schema/values.ts";
import { environmentText } from "../shell/environment.ts";
import type { StepPlace, StepProblem, StepType } from "../step-types/step-type.ts";
import { denoBinary } from "./deno-binary.ts";
import { DenoError } from "./deno-error.ts";
import type { DenoHostOptions } from "./deno-options.ts";
import { fetchModules, isAllowedModule, isListedModule, moduleProblem } from "./modules.ts";
import { parseNetGrant } from "./net-grants.ts";
import { checkVariable, runDeno } from "./run-deno.ts";
import { scriptImports } from "./script-imports.ts";
import { SpareProcesses } from "./spares.ts";

const defaultTimeout = "5m";

const list = (what: string): z.ZodOptional<z.ZodArray<z.ZodString>> =>
  z
    .array(text)
    .meta({ expected: `a list of ${what}` })
    .optional();

const permissions = z.strictObject({
  net: list("hosts").describe("Hosts the script may reach: `example.com`, `example.com:443`, `*.example.com`"),
  read: list("paths").describe("Files and folders it may read, relative to the file"),
  write: list("paths").describe("Files and folders it may write"),
  env: list("names of variables").describe("Variables of the host it may read"),
  run: flag.optional().describe("Other programs. There is no sandbox then; the application must agree"),
  dynamic_import: flag.optional().describe("`import()` and code made from strings"),
});

const config = z.strictObject({
  script: text.optional().describe("The script, in TypeScript"),
  file: text.optional().describe("Its file instead, relative to this one"),
  permissions: permissions.optional().describe("What the script may do. All is denied that is not here"),
  timeout: duration.optional().describe("After it the script is killed. Default 5m"),
  env: z
    .record(z.string(), scalar)
    .meta({ expected: "names with values" })
    .optional()
    .describe("Variables the script may read"),
  modules: list("module specifiers").describe(
    "`npm:` or `https:` modules that it imports; the application must allow them",
  ),
});
type Config = z.infer<typeof config>;

/** `type: deno`: runs TypeScript in a sandbox. */
export function denoStep(options: DenoHostOptions = {}): StepType<Config> {
  checkOptions(options);
  const spares = new SpareProcesses();
  return {
    type: "deno",
    title: "Deno",
    description: "Runs a script in TypeScript in a process of its own, which may do nothing that is not granted to it.",
    config,
    programs: ["script"],
    check: (given, place) => problemsOf(given, place, options),
    async prepare({ modules }) {
      denoBinary();
      if (modules !== undefined && modules.length > 0) await fetchModules(modules, options.modulesFolder);
    },
    cacheParts: ({ file }, place) => Promise.resolve(file === undefined ? undefined : readScript(file, place)),
    async run(given, call) {
      // What was checked at load may have been filled in, or the script's file changed, since.
      const [problem] = problemsOf(given, call, options);
      if (problem !== undefined) {
        throw new DenoError("DENO_GRANT", `${problem.message}${problem.hint === undefined ? "" : `: ${problem.hint}`}`);
      }
      const { file, modules = [] } = given;
      const granted = given.permissions ?? {};
      const env: Record<string, string> = {};
      for (const [name, value] of Object.entries(given.env ?? {})) env[name] = environmentText(value) ?? "";
      const modulesFolder = modules.length === 0 ? undefined : await fetchModules(modules, options.modulesFolder);
      const result = await runDeno({
        script: file === undefined ? (given.script ?? "") : readScript(file, call),
        name: file ?? "script",
        typescript: file === undefined || !/\.m?js$/.test(file),
        folder: call.folder,
        permissions: {
          net: granted.net ?? [],
          read: granted.read ?? [],
          write: granted.write ?? [],
          env: granted.env ?? [],
          run: granted.run === true,
          dynamicImport: granted.dynamic_import === true,
        },
        roots: options.roots,
        env,
        hostEnv: process.env,
        data: call.data,
        // A step without inputs of its own has the workflow's data as its input, as everywhere.
        inputs: Object.keys(call.inputs).length === 0 ? call.data : call.inputs,
        item: call.item,
        matrix: call.matrix,
        modules: modulesFolder === undefined ? undefined : { folder: modulesFolder, list: modules },
        timeoutMs: parseDuration(given.timeout ?? defaultTimeout, "timeout"),
        signal: call.ctx.signal,
        write: (stream, line) => call.ctx.write(stream, line),
        onDenied: (denied) => {
          for (const { permission, value } of denied) {
            call.ctx.log.warn("the script was denied an access", {
              permission,
              ...(value === undefined ? {} : { value }),
            });
            call.ctx.write("audit", `denied: ${permission}${value === undefined ? "" : ` ${value}`}\n`);
          }
        },
        memoryMb: options.memoryMb,
        outputBytes: options.outputBytes,
        spares,
      });
      return { outputs: result.outputs, text: result.stdout };
    },
  };
}

function checkOptions({ memoryMb, outputBytes }: DenoHostOptions): void {
  for (const [name, value, least] of [
    ["memoryMb", memoryMb, 16],
    ["outputBytes", outputBytes, 1_024],
  ] as const) {
    if (value !== undefined && !(Number.isInteger(value) && value >= least)) {
      throw new InvalidOptionError(`\`deno.${name}\` must be a whole number from ${least}, got ${String(value)}`);
    }
  }
}

/** All that is wrong with a step's config, so far as it can be told without running it. */
function problemsOf(given: Config, place: StepPlace, options: DenoHostOptions): readonly StepProblem[] {
  const { script, file, modules = [] } = given;
  if ((script === undefined) === (file === undefined)) {
    return [
      { path: [], message: "a `deno` step needs either `script` or `file`", hint: "write the script under `script:`" },
    ];
  }
  const inText = file === undefined;
  const path = inText ? ["script"] : ["file"];
  const granted = [...grantProblems(given, options), ...moduleProblems(modules, options)];
  // No file of this name is meant, and what is wrong with it has been said.
  if (file?.includes("${{") === true) return granted;
  const found = inText ? { text: script ?? "" } : scriptAt(file, place);
  if ("why" in found) {
    const hint = "paths are relative to the file that names them";
    return [{ path, message: `the script's file \`${file}\` cannot be read: ${found.why}`, hint }, ...granted];
  }
  const source = found.text;
  return [
    ...(inText ? placeholderProblems(source) : []),
    ...granted,
    ...importProblems(source, given, modules).map(({ offset, ...problem }) =>
      inText ? { path, offset, ...problem } : { path, ...problem },
    ),
  ];
}

function readScript(file: string, place: StepPlace): string {
  const found = scriptAt(file, place);
  if ("text" in found) return found.text;
  throw new DenoError("DENO_GRANT", `the script's file \`${file}\` cannot be read: ${found.why}`, {
    cause: found.cause,
  });
}

type FoundScript = { readonly text: string } | { readonly why: string; readonly cause: unknown };

function scriptAt(file: string, place: StepPlace): FoundScript {
  try {
    return { text: readFileSync(resolve(place.folder, file), "utf8") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const words: Readonly<Record<string, string>> = { ENOENT: "there is no such file", EISDIR: "it is a folder" };
    return { why: words[code ?? ""] ?? message, cause: error };
  }
}

function placeholderProblems(source: string): readonly StepProblem[] {
  return findPlaceholders(source).placeholders.map(({ start, end }) => ({
    path: ["script"],
    offset: start,
    message: `\`${source.slice(start, end)}\` is no value in a script: a value would become program text`,
    hint: "read it with `inputs()` or `Wfe.getData(...)`, a secret from `env`; for an object in a template literal write `${ {`",
  }));
}

/** Grants are the file's: a value of a run never widens them. */
function grantProblems(
  { permissions: granted = {}, env = {}, file }: Config,
  options: DenoHostOptions,
): readonly StepProblem[] {
  const problems: StepProblem[] = [];
  for (const key of ["net", "read", "write", "env"] as const) {
    for (const [index, entry] of (granted[key] ?? []).entries()) {
      const wrong = entry.includes("${{")
        ? "is a value of a run, which may not widen what a script may do"
        : grantProblem(key, entry);
      if (wrong !== undefined) problems.push({ path: ["permissions", key, index], message: `\`${entry}\` ${wrong}` });
    }
  }
  if (file?.includes("${{") === true) {
    problems.push({
      path: ["file"],
      message: "which script is run is not for a value of a run to say",
      hint: "name the file",
    });
  }
  for (const name of Object.keys(env)) {
    const wrong = grantProblem("env", name);
    if (wrong !== undefined) problems.push({ path: ["env", name], message: `\`${name}\` ${wrong}` });
  }
  if (granted.run === true && options.trusted !== true) {
    problems.push({
      path: ["permissions", "run"],
      message:
        "`run: true` lets the script start any program, outside of the sandbox, and this application does not allow it",
      hint: "use a `shell` step; a program that loads the file can allow it by the option `deno: { trusted: true }`, the `wfe` command cannot",
    });
  }
  return problems;
}

function grantProblem(key: "net" | "read" | "write" | "env", entry: string): string | undefined {
  if (key === "net") {
    const grant = parseNetGrant(entry);
    return "problem" in grant ? grant.problem : undefined;
  }
  if (key === "env") {
    try {
      checkVariable(entry);
      return undefined;
    } catch (error) {
      return (error as Error).message.replace(/^`env: [^`]*` /, "");
    }
  }
  return entry.trim() === "" ? "is no path" : undefined;
}

function moduleProblems(modules: readonly string[], { allowModules = [] }: DenoHostOptions): readonly StepProblem[] {
  return modules.flatMap((specifier, index) => {
    const path = ["modules", index];
    const wrong = moduleProblem(specifier);
    if (wrong !== undefined) return [{ path, message: `\`${specifier}\` ${wrong}` }];
    if (isAllowedModule(specifier, allowModules)) return [];
    return [
      {
        path,
        message: `the module \`${specifier}\` is not among those that this application allows`,
        hint: `a program that loads the file can allow it by the option \`deno: { allowModules: [${JSON.stringify(specifier)}] }\`, the \`wfe\` command cannot`,
      },
    ];
  });
}

function importProblems(
  source: string,
  { permissions: granted = {} }: Config,
  modules: readonly string[],
): readonly (Omit<StepProblem, "path"> & { readonly offset: number })[] {
  const allowsCode = granted.dynamic_import === true;
  return scriptImports(source).flatMap(({ offset, specifier, dynamic }) => {
    if (dynamic) {
      if (allowsCode) return [];
      return [
        {
          offset,
          message: "`import()` is not granted",
          hint: "import at the top of the script, or grant `permissions: { dynamic_import: true }`",
        },
      ];
    }
    if (
      specifier === undefined ||
      (/^(node|file):/.test(specifier) && specifier !== "node:vm") ||
      (allowsCode && /^(data|blob):/.test(specifier))
    )
      return [];
    if (/^(data|blob):|^(node:)?vm$/.test(specifier)) {
      return [
        {
          offset,
          message: "code made from text is not granted",
          hint: "write it into the script, or grant `permissions: { dynamic_import: true }`",
        },
      ];
    }
    if (/^(npm|jsr|https?):/.test(specifier)) {
      if (isListedModule(specifier, modules)) return [];
      return [
        {
          offset,
          message: `\`${specifier}\` is not in the step's \`modules\``,
          hint: `add \`modules: [${JSON.stringify(specifier)}]\``,
        },
      ];
    }
    return [
      {
        offset,
        message: `\`${specifier}\` leads nowhere: a script has no folder of its own`,
        hint: "write `npm:...` for a package, or the whole `file:///...` URL and grant `read`",
      },
    ];
  });
}
