import { given } from "../assemble/check.ts";
import { sketch, type BodySketch, type Sketch } from "../sketch.ts";

const defaultConcurrency = 16;

export function whileSketch(kind: "while" | "do-while", condition: unknown, body: BodySketch): Sketch {
  const operator = kind === "while" ? "`whileDo`" : "`doWhile`";
  return sketch(kind, undefined, [["body", body]], (check) => ({
    condition: check.expression<boolean>(condition, `the condition of ${operator}`),
    body: check.filledBlock("body", `the body of ${operator}`),
  }));
}

export function forEachSketch(items: unknown, body: BodySketch, options: unknown): Sketch {
  return sketch("for-each", undefined, [["body", body]], (check) => {
    const {
      concurrency = defaultConcurrency,
      as,
      onFailure = "cancel",
    } = check.options(options, ["concurrency", "as", "onFailure"], "`forEach`");
    return {
      items: check.expression<Iterable<unknown>>(items, "the items of `forEach`"),
      body: check.filledBlock("body", "the body of `forEach`"),
      concurrency: check.count(concurrency, "`concurrency`"),
      ...given("as", as === undefined ? undefined : check.dataKey(as, "`as`")),
      onBranchFailure: check.oneOf(onFailure, ["cancel", "wait"], "`onFailure`"),
    };
  });
}
