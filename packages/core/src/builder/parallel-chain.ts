import type { BodySketch } from "./sketch.ts";

/** The builder behind `ParallelBuilder`. */
export class ParallelChain {
  readonly branches: readonly BodySketch[];
  readonly #run: (body: unknown) => BodySketch;

  constructor(run: (body: unknown) => BodySketch, branches: readonly BodySketch[] = []) {
    this.#run = run;
    this.branches = branches;
    Object.freeze(this);
  }

  branch(body: unknown): ParallelChain {
    return new ParallelChain(this.#run, [...this.branches, this.#run(body)]);
  }
}
