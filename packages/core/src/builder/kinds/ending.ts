import { sketch, type Sketch } from "../sketch.ts";

export function endSketch(): Sketch {
  return sketch("end", undefined, [], () => ({}));
}

export function failSketch(message: unknown): Sketch {
  return sketch("fail", undefined, [], (check) => ({
    message: check.value(message, "the message of `fail`", check.text),
  }));
}
