import { nameProblem } from "../names.ts";
import type { BodySketch, Sketch } from "../sketch.ts";
import { modifierBodies } from "./modifiers.ts";

/** A sketch with its id, and those in its bodies with theirs. */
export interface Placed {
  readonly sketch: Sketch;
  readonly id: string;
  readonly name: string;
  readonly bodies: readonly (readonly [slot: string, body: PlacedBody])[];
}
export interface PlacedBody {
  readonly placed: readonly Placed[];
  readonly problems: readonly string[];
}

/**
 * Gives every node its id. `duplicate` hears of explicit ids that were given before.
 *
 * An id that is not given is made from the name, else the function's name, else the kind. It is as short as can be, and
 * stays what it is when a node of another name is added anywhere: bodies are taken level by level, a body's own nodes before
 * what is nested in them; a base that an outer or earlier body has used is qualified by the container's id; equals in one body
 * are counted.
 */
export function assignIds(top: BodySketch, duplicate: (id: string) => void): PlacedBody {
  const used = new UsedIds();
  for (const id of explicitIds(top)) {
    if (used.has(id)) duplicate(id);
    used.add(id, 0);
  }

  const whole = emptyBody(top);
  const bodies = [{ body: whole, sketches: top.sketches, container: undefined as string | undefined }];
  let number = 0;
  // What is nested comes to the end of the list, and is taken after all that is there.
  for (const next of bodies) {
    number += 1;
    for (const sketch of next.sketches) {
      const placed = {
        sketch,
        id: explicitId(sketch) ?? deriveId(sketch, next.container, number, used),
        name: nameOf(sketch),
        bodies: [...sketch.bodies, ...modifierBodies(sketch)].map(
          ([slot, body]) => [slot, emptyBody(body), body] as const,
        ),
      };
      used.add(placed.id, number);
      next.body.placed.push({ ...placed, bodies: placed.bodies.map(([slot, body]) => [slot, body]) });
      for (const [, body, { sketches }] of placed.bodies) bodies.push({ body, sketches, container: placed.id });
    }
  }
  return whole;
}

function emptyBody(body: BodySketch): { placed: Placed[]; problems: readonly string[] } {
  return { placed: [], problems: body.problems };
}

function deriveId(sketch: Sketch, container: string | undefined, body: number, used: UsedIds): string {
  const base = sketch.suffix ?? givenName(sketch) ?? sketch.base;
  const qualified = sketch.suffix !== undefined || used.hasBefore(base, body);
  return used.nextFree(qualified && container !== undefined ? `${container}/${base}` : base);
}

/** Ids that are given, and in which body each was first. */
class UsedIds {
  readonly #bodies: Map<string, number> = new Map();
  /** By id: the count from which on one may be free. Looked for from 1 each time, thousands of equals would take minutes. */
  readonly #counts: Map<string, number> = new Map();

  has(id: string): boolean {
    return this.#bodies.has(id);
  }

  /** Whether it was used in a body before this one. */
  hasBefore(id: string, body: number): boolean {
    return (this.#bodies.get(id) ?? body) < body;
  }

  add(id: string, body: number): void {
    if (!this.#bodies.has(id)) this.#bodies.set(id, body);
  }

  /** The id itself, or the first of `id-2`, `id-3`... that nobody has. */
  nextFree(id: string): string {
    for (let count = this.#counts.get(id) ?? 1; ; count++) {
      const candidate = count === 1 ? id : `${id}-${count}`;
      if (this.#bodies.has(candidate)) continue;
      this.#counts.set(id, count);
      return candidate;
    }
  }
}

function* explicitIds(body: BodySketch): Generator<string> {
  for (const sketch of body.sketches) {
    const id = explicitId(sketch);
    if (id !== undefined) yield id;
    for (const [, nested] of [...sketch.bodies, ...modifierBodies(sketch)]) yield* explicitIds(nested);
  }
}

/** Names and ids that are no good are problems of their own; here they count as not given. */
function explicitId(sketch: Sketch): string | undefined {
  return lastGiven(sketch, "id");
}

function givenName(sketch: Sketch): string | undefined {
  return lastGiven(sketch, "name");
}

function nameOf(sketch: Sketch): string {
  return givenName(sketch) ?? sketch.base;
}

function lastGiven(sketch: Sketch, modifier: "id" | "name"): string | undefined {
  const value = sketch.modifiers.findLast(({ name }) => name === modifier)?.value;
  return nameProblem(value) === undefined ? (value as string) : undefined;
}
