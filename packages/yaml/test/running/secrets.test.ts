import { WorkflowHost, type LifecycleEvent } from "@wfe/core";
import { memory } from "@wfe/core/testing";
import { parseWorkflow, type StepType } from "@wfe/yaml";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { MaskedStream, Masker } from "../../src/running/secrets.ts";

const secret = 's3cret "quoted" / value';

const leaky: StepType = {
  type: "leaky",
  title: "Leaky",
  description: "Lets everything out.",
  config: z.looseObject({ token: z.string() }),
  async run({ token }, { ctx, evaluate }) {
    const other = (await evaluate("secret.OTHER")) as string;
    for (const character of `${token}\n`) ctx.write("stdout", character);
    ctx.write("stderr", `a ${other} b`);
    ctx.progress(50, token);
    ctx.log.info(token, { token });
    if ((ctx.data as { fail?: boolean }).fail === true) {
      throw Object.assign(new Error(`refused ${token}`, { cause: new Error(other) }), { detail: [token] });
    }
    return {
      outputs: {
        token,
        [token]: 1,
        json: JSON.stringify({ token }),
        url: `https://x/?t=${encodeURIComponent(token)}`,
        deep: [{ token }],
      },
      data: { "a.stdout": token },
    };
  },
};

const text = `
workflow:
  id: w
  version: 1
  steps:
    - { name: a, type: leaky, config: { token: "\${{ secret.TOKEN }}" } }
`;

/** Everything that can be heard and read of a run. */
async function everythingOf(data: object): Promise<string> {
  const heard: LifecycleEvent[] = [];
  const logged: unknown[] = [];
  const log = (...args: unknown[]): void => void logged.push(args);
  const definition = parseWorkflow(
    text,
    {},
    { types: [leaky], secrets: async (name) => ({ TOKEN: secret, OTHER: "other-secret" })[name] },
  );
  await using host = new WorkflowHost({
    providers: [memory()],
    workflows: [definition],
    log: { debug: log, info: log, warn: log, error: log },
  });
  for (const type of [
    "step.output",
    "step.progress",
    "step.failed",
    "step.completed",
    "workflow.failed",
    "workflow.completed",
  ] as const) {
    host.on(type, (event) => void heard.push(event));
  }
  await host.start();
  const handle = await host.startWorkflow(definition, data);
  const error: unknown = await handle.result().catch((thrown: unknown) => thrown);
  const history = await host.history(handle.id);
  const details = await host.getWorkflow(handle.id);
  const found = await host.searchWorkflows("s3cret");
  expect(found.items).toEqual([]);
  const told = (each: unknown): unknown =>
    each instanceof Error
      ? { fields: Object.entries(each), message: each.message, stack: each.stack, cause: told(each.cause) }
      : each;
  return JSON.stringify(
    [heard, logged, told(error), history.items, details, told(details?.error)],
    (_, value: unknown) => (typeof value === "bigint" ? String(value) : value),
  );
}

describe("secrets", () => {
  it("are masked in output, outputs, data, logs, history and search", async () => {
    const everything = await everythingOf({});
    expect(everything).toContain("***");
    for (const form of ["s3cret", "other-secret", encodeURIComponent(secret)]) expect(everything).not.toContain(form);
  });

  it("are masked in errors, their stacks, fields and causes", async () => {
    const everything = await everythingOf({ fail: true });
    expect(everything).toContain("refused ***");
    for (const form of ["s3cret", "other-secret"]) expect(everything).not.toContain(form);
  });

  it("that there are not fail the step, without retries", async () => {
    const definition = parseWorkflow(text.replace("config:", "retry: 5, config:"), {}, { types: [leaky] });
    await using host = new WorkflowHost({ providers: [memory()], workflows: [definition] });
    await host.start();
    const handle = await host.startWorkflow(definition, {});
    await expect(handle.result()).rejects.toThrow(
      "there is no secret `TOKEN`: `wfe` takes it from the environment variable of that name, a program gives it by the option `secrets` of the loader",
    );
  });
});

describe("masking a stream", () => {
  const masked = (
    secrets: readonly string[],
    chunks: readonly string[],
  ): { readonly sent: readonly string[]; readonly all: string } => {
    const masker = new Masker();
    for (const each of secrets) masker.add(each);
    const sent: string[] = [];
    const stream = new MaskedStream(masker, (chunk) => sent.push(chunk));
    for (const chunk of chunks) stream.write(chunk);
    stream.end();
    return { sent, all: sent.join("") };
  };

  it("finds a secret however it is cut up", () => {
    const whole = "x abcabd abcabcabd y abcab";
    for (let first = 0; first <= whole.length; first++) {
      for (let second = first; second <= whole.length; second++) {
        const { all } = masked(["abcabd"], [whole.slice(0, first), whole.slice(first, second), whole.slice(second)]);
        expect(all).toBe("x *** abc*** y abcab");
      }
    }
  });

  it("finds a secret within a longer one, and the longer one first", () => {
    expect(masked(["abc", "abcdef"], "1abcdef2abc3abcde4".split("")).all).toBe("1***2***3***de4");
  });

  it("finds secrets that overlap at a cut", () => {
    expect(masked(["xyzx"], ["xyzx"]).all).toBe("***");
    expect(masked(["aa"], ["a", "a", "a", "b"]).all).not.toContain("aa");
  });

  it("passes on at once what cannot become a secret", () => {
    expect(masked(["abc"], ["hello\n", "ab", "x\n"]).sent).toEqual(["hello\n", "abx\n"]);
  });

  it("masks the lines of a key of several lines", () => {
    const key = "-----BEGIN KEY-----\nMIIEvQIBADAN\n-----END KEY-----";
    expect(masked([key], ["one: MIIEvQIBADAN\n"]).all).toBe("one: ***\n");
  });
});
