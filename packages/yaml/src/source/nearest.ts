const farthest = 3;
const longest = 100;

/** The name that is most like a misspelt one, if one is; names may be many, a name's length is bounded. */
export function nearest(name: string, names: Iterable<string>): string | undefined {
  const wanted = normal(name);
  let best: string | undefined;
  let least = Math.min(farthest, Math.max(1, Math.floor(wanted.length / 3))) + 1;
  for (const candidate of names) {
    if (candidate.length > longest || wanted.length > longest) continue;
    const distance = distanceOf(wanted, normal(candidate), least);
    if (distance >= least) continue;
    best = candidate;
    least = distance;
  }
  return best;
}

/** "did you mean" in the words of all our hints; without a near name, the names there are. */
export function suggestion(name: string, names: Iterable<string>): string | undefined {
  const known = [...names];
  const near = nearest(name, known);
  if (near !== undefined) return `did you mean \`${near}\`?`;
  if (known.length === 0) return undefined;
  const listed = known.slice(0, 30).map((each) => `\`${each}\``);
  return `known: ${listed.join(", ")}${known.length > 30 ? ", ..." : ""}`;
}

/** `maxRetries`, `max-retries` and `max_retries` are the same mistake. */
function normal(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll("-", "_");
}

/** Edits (an exchange of neighbours is one) from one to the other; `bound` where it is that or more. */
function distanceOf(from: string, to: string, bound: number): number {
  if (Math.abs(from.length - to.length) >= bound) return bound;
  let before: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + (same ? 0 : 1),
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    before = previous;
    previous = current;
  }
  return Math.min(previous[to.length] ?? bound, bound);
}
