import { stepSketch } from "./kinds/step.ts";
import type { BodySketch, Modifier } from "./sketch.ts";

/** The modifiers that nodes in a chain and nodes in a graph have in common. */
export abstract class Modifying {
  /** The same builder, with one more modifier of its last node. */
  protected abstract modified(modifier: Modifier): this;
  /** Runs a function from builder to builder. */
  protected abstract run(body: unknown, what: string): BodySketch;

  name(name: unknown): this {
    return this.modified({ name: "name", value: name });
  }

  onError(behavior: unknown): this {
    return this.modified({ name: "onError", value: behavior });
  }

  timeout(duration: unknown): this {
    return this.modified({ name: "timeout", value: duration });
  }

  compensateWith(step: unknown, input?: unknown): this {
    const undoing = { ...stepSketch(step, input), suffix: "compensation" };
    return this.modified({ name: "compensateWith", value: step, body: { sketches: [undoing], problems: [] } });
  }

  compensateWithSequence(body: unknown): this {
    return this.modified({ name: "compensateWith", value: body, body: this.run(body, "`.compensateWithSequence`") });
  }

  onFailure(body: unknown): this {
    return this.modified({ name: "onFailure", value: body, body: this.run(body, "`.onFailure`") });
  }

  ensure(body: unknown): this {
    return this.modified({ name: "ensure", value: body, body: this.run(body, "`.ensure`") });
  }

  onCrash(behavior: unknown): this {
    return this.modified({ name: "onCrash", value: behavior });
  }

  cancelWhen(condition: unknown, options?: unknown): this {
    return this.modified({ name: "cancelWhen", value: { condition, options } });
  }
}
