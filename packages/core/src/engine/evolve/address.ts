/** Where an entry stands in the journal. */
export interface Address {
  readonly seq: number;
  readonly index: number;
}
