import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { IndexedHeap } from "../../src/testing/indexed-heap.ts";

describe("IndexedHeap", () => {
  it("gives its items in order, whatever was taken out of its middle", () => {
    const changes = fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.boolean()));
    fc.assert(
      fc.property(changes, (steps) => {
        const heap = new IndexedHeap<{ value: number }>((a, b) => a.value < b.value);
        const model: { value: number }[] = [];
        for (const [value, takes] of steps) {
          const taken = takes ? model.splice(value % Math.max(1, model.length), 1)[0] : undefined;
          if (taken !== undefined) heap.delete(taken);
          else {
            const item = { value };
            model.push(item);
            heap.push(item);
          }
        }
        expect(heap.size).toBe(model.length);
        const popped: number[] = [];
        for (let item = heap.pop(); item !== undefined; item = heap.pop()) popped.push(item.value);
        expect(popped).toEqual(model.map(({ value }) => value).sort((a, b) => a - b));
      }),
    );
  });

  it("leaves an item alone that it does not have", () => {
    const heap = new IndexedHeap<number>((a, b) => a < b);
    heap.push(1);
    heap.delete(2);
    expect([heap.peek(), heap.size]).toEqual([1, 1]);
  });
});
