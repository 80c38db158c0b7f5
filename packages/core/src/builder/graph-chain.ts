import type { VertexSketch } from "./kinds/joining.ts";
import { stepSketch } from "./kinds/step.ts";
import { Modifying } from "./modifying.ts";
import type { BodySketch, Modifier } from "./sketch.ts";

/** The builder behind `GraphBuilder`. */
export class GraphChain extends Modifying {
  readonly vertices: readonly VertexSketch[];
  readonly #run: (body: unknown, what: string) => BodySketch;

  constructor(run: (body: unknown, what: string) => BodySketch, vertices: readonly VertexSketch[] = []) {
    super();
    this.#run = run;
    this.vertices = vertices;
    Object.freeze(this);
  }

  node(id: unknown, step: unknown, options?: unknown): GraphChain {
    const input = typeof options === "object" && options !== null && "input" in options ? options.input : undefined;
    const made = stepSketch(step, input);
    const node = {
      ...made,
      base: typeof id === "string" ? id : made.base,
      modifiers: [
        { name: "id", value: id },
        { name: "as", value: id },
      ] as const,
    };
    return new GraphChain(this.#run, [...this.vertices, { node, id, options }]);
  }

  protected override modified(modifier: Modifier): this {
    const last = this.vertices.at(-1);
    if (last === undefined) return this;
    const node = { ...last.node, modifiers: [...last.node.modifiers, modifier] };
    return new GraphChain(this.#run, [...this.vertices.slice(0, -1), { ...last, node }]) as this;
  }

  protected override run(body: unknown, what: string): BodySketch {
    return this.#run(body, what);
  }
}
