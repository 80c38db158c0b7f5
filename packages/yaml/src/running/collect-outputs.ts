import { open } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { WfeError } from "@wfe/core";
import { jsonPath } from "../compile/json-path.ts";
import { lookUp } from "../compile/outputs.ts";
import type { OutputKey } from "../schema/modifiers.ts";
import type { StepOutcome } from "../step-types/step-type.ts";

const mostBytes = 1_048_576;

/**
 * The outputs of a step: what its body set, with what its `outputs` declare: a file's text, a value of the JSON it printed, else
 * the value set under that name. One that is not there is missing: it may be one that only some runs give.
 */
export async function collectOutputs(
  declared: readonly OutputKey[],
  outcome: StepOutcome,
  folder: string,
): Promise<Record<string, unknown>> {
  const outputs: Record<string, unknown> = { ...outcome.outputs };
  let printed: unknown;
  for (const { name, path, json_path: query } of declared) {
    if (query !== undefined) {
      printed ??= parsed(name, outcome.text ?? outcome.outputs);
      const value = jsonPath(printed, query);
      if (value !== undefined) outputs[name] = value;
    } else if (path !== undefined) {
      const found = lookUp(outcome.outputs, path) ?? lookUp(outcome.data, path);
      outputs[name] = found ?? (await textOf(name, path, outcome.folder ?? folder));
    }
  }
  if (Object.hasOwn(outputs, "__proto__"))
    throw new WfeError("OUTPUT_INVALID", "an output cannot be called `__proto__`");
  for (const reserved of ["steps", "item.steps"]) {
    if (Object.hasOwn(outputs, reserved)) {
      throw new WfeError(
        "OUTPUT_INVALID",
        `an output cannot be called \`${reserved}\`: WFE itself uses this key of the data`,
      );
    }
  }
  return outputs;
}

function parsed(name: string, text: unknown): unknown {
  if (typeof text !== "string") return text;
  try {
    // Lines that set outputs are not part of what the step has to say.
    return JSON.parse(text.replaceAll(/^##wfe\[.*$/gm, "")) as unknown;
  } catch (cause) {
    throw new WfeError(
      "OUTPUT_INVALID",
      `the output \`${name}\` has a \`json_path\`, but what the step printed is not JSON`,
      { cause },
    );
  }
}

async function textOf(name: string, path: string, folder: string): Promise<string> {
  const file = isAbsolute(path) ? path : resolve(folder, path);
  try {
    await using handle = await open(file);
    const buffer = Buffer.alloc(mostBytes + 1);
    let length = 0;
    // A read may give less than there is.
    for (let read = 1; read > 0 && length < buffer.length; length += read) {
      ({ bytesRead: read } = await handle.read(buffer, length, buffer.length - length));
    }
    if (length > mostBytes) throw new WfeError("LIMIT_EXCEEDED", `the file has more than ${mostBytes} bytes`);
    return buffer.toString("utf8", 0, length);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WfeError("OUTPUT_MISSING", `the output \`${name}\` cannot be read from the file \`${path}\`: ${reason}`, {
      cause,
    });
  }
}
