const AsyncFunction = (async () => {}).constructor;
const GeneratorFunction = function* () {}.constructor;
const AsyncGeneratorFunction = async function* () {}.constructor;

/** Whether a function is declared `async`. One that merely gives a promise cannot be told before it is called. */
export function isAsyncFunction(value: unknown): boolean {
  return value instanceof AsyncFunction || value instanceof AsyncGeneratorFunction;
}

/** Whether a function is a generator, async or not. */
export function isGeneratorFunction(value: unknown): boolean {
  return value instanceof GeneratorFunction || value instanceof AsyncGeneratorFunction;
}

/** Whether a step's body is a class: declared as one, or a constructor whose instances have `run`. */
export function isStepClass(body: (...given: never[]) => unknown): boolean {
  return typeof body.prototype?.run === "function" || /^class\b/.test(Function.prototype.toString.call(body));
}

/**
 * Whether a function is one of the two by which a promise resolves, as `await` hands them to a `then`.
 *
 * A step and an input map are two functions too, but these are made by the runtime: anonymous, of one parameter, and
 * without a source. Of users' functions only bound ones have no source, and those have a name (`bound ...`).
 */
export function isPromiseResolver(value: unknown): boolean {
  return (
    typeof value === "function" &&
    value.name === "" &&
    value.length === 1 &&
    Function.prototype.toString.call(value).includes("[native code]")
  );
}

/** What a function is called, if it has a name of its own. */
export function functionName(value: unknown): string | undefined {
  if (typeof value !== "function") return undefined;
  const name = value.name.replace(/^(?:bound )+/, "");
  return name === "" ? undefined : name;
}
