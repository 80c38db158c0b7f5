/** The ids of the turns that are made of one workflow while it is in hand: a random part, and a number. */
export class TurnIds {
  readonly #prefix: string;
  #given = 0;

  /** `prefix`: never given to anyone else. */
  constructor(prefix: string) {
    this.#prefix = `${prefix}.`;
  }

  /** How many were given. */
  get given(): number {
    return this.#given;
  }

  next(): string {
    this.#given += 1;
    return this.#prefix + this.#given;
  }

  isOurs(turn: string): boolean {
    return turn.startsWith(this.#prefix);
  }
}
