/** GitHub's bound too. */
const mostRuns = 256;

type Combination = Readonly<Record<string, unknown>>;

/**
 * The combinations of a matrix, the first key slowest; `exclude` takes out what it matches, `include` adds to what it matches,
 * or a run of its own. Throws a `RangeError` where there are more than 256, a `TypeError` where a value is not a list.
 */
export function combinationsOf(matrix: Readonly<Record<string, unknown>>): readonly Combination[] {
  const { include = [], exclude = [], ...axes } = matrix;
  let combinations: Record<string, unknown>[] = Object.keys(axes).length === 0 ? [] : [{}];
  for (const [name, values] of Object.entries(axes)) {
    if (!Array.isArray(values)) throw new TypeError(`the values of \`${name}\` in the matrix must be a list`);
    if (combinations.length * values.length > mostRuns) throw tooMany();
    combinations = combinations.flatMap((each) => values.map((value: unknown) => ({ ...each, [name]: value })));
  }
  const excluded = mapsOf(exclude, "exclude");
  combinations = combinations.filter((each) => !excluded.some((pattern) => matches(each, pattern)));
  const originals = combinations.map((each) => ({ ...each }));
  for (const extra of mapsOf(include, "include")) {
    const own = Object.keys(extra).filter((key) => Object.hasOwn(axes, key));
    const targets = combinations.filter((_, index) => {
      const original = originals[index];
      return original !== undefined && own.every((key) => same(original[key], extra[key]));
    });
    if (targets.length === 0) combinations.push({ ...extra });
    else for (const target of targets) Object.assign(target, extra);
  }
  if (combinations.length > mostRuns) throw tooMany();
  return combinations;
}

function mapsOf(value: unknown, what: string): readonly Combination[] {
  const isMap = (each: unknown): each is Combination =>
    typeof each === "object" && each !== null && !Array.isArray(each);
  if (!Array.isArray(value) || !value.every(isMap))
    throw new TypeError(`\`${what}\` of the matrix must be a list of maps`);
  return value;
}

function matches(combination: Combination, pattern: Combination): boolean {
  return Object.entries(pattern).every(([key, value]) => same(combination[key], value));
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function tooMany(): RangeError {
  return new RangeError(`a matrix has at most ${mostRuns} runs`);
}
