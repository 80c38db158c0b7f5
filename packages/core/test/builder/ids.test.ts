import { describe, expect, it } from "vitest";
import { begin, bill, idsOf, pack, problemsOf, ship, untyped } from "./steps.ts";

describe("the id of a step", () => {
  it("is given, or else its name, or else its function's name, or else its kind", () => {
    const definition = begin
      .then(pack)
      .id("given")
      .name("Named")
      .then(pack)
      .name("Named only")
      .then(pack)
      .thenFn(() => 1)
      .delay(1)
      .then(ship.bind(undefined))
      .build("w", 1);
    expect(definition.body.nodes.map(({ id }) => id)).toEqual(["given", "Named only", "pack", "step", "delay", "ship"]);
    expect(definition.body.nodes.map(({ name }) => name)).toEqual([
      "Named",
      "Named only",
      "pack",
      "step",
      "delay",
      "ship",
    ]);
  });

  it("is counted among thousands of equals, and given in thousands of bodies, without taking minutes", () => {
    let chain = untyped();
    for (let count = 0; count < 5_000; count++) chain = chain.then(() => 1);
    expect(chain.build("w", 1).body.nodes.at(-1).id).toBe("step-5000");
    const wide = untyped().parallel((p: any) => {
      let branches = p;
      for (let count = 0; count < 2_000; count++) branches = branches.branch((b: any) => b.then(() => 1));
      return branches;
    });
    expect(idsOf(wide.build("w", 1))).toHaveLength(2_001);
  }, 15_000);

  it("is counted among equals in one body", () => {
    const definition = begin.then(pack).then(ship).then(pack).then(pack).build("w", 1);
    expect(definition.body.nodes.map(({ id }) => id)).toEqual(["pack", "ship", "pack-2", "pack-3"]);
  });

  it("is short inside a container, while nothing outside it has it", () => {
    const definition = begin
      .then(pack)
      .saga((b) => b.then(pack).then(ship).then(pack))
      .ifDo(
        () => true,
        (b) => b.then(ship).saga((c) => c.then(bill).then(ship)),
        (b) => b.then(ship),
      )
      .build("w", 1);
    expect(idsOf(definition)).toEqual(
      [
        "pack",
        "saga",
        "if",
        "saga/pack",
        "ship",
        "saga/pack-2",
        "if/ship",
        "if/saga",
        "bill",
        "if/saga/ship",
        "if/ship-2",
      ].toSorted(),
    );
  });

  it("of a step nested less deep is the shorter one, whatever comes first", () => {
    const definition = begin
      .saga((b) => b.saga((c) => c.then(pack)))
      .saga((b) => b.then(pack))
      .then(ship)
      .build("w", 1);
    expect(idsOf(definition)).toEqual(["saga", "saga-2", "saga/saga", "pack", "saga/saga/pack", "ship"].toSorted());
  });

  it("does not change when a step of another name is added anywhere", () => {
    const build = (added: boolean): string[] => {
      const add = (b: any): any => (added ? b.then(bill) : b);
      const chain = add(untyped())
        .then(pack)
        .saga((b: any) =>
          add(
            add(b.then(pack))
              .ifDo(
                () => true,
                (c: any) => add(c.then(ship).then(pack)),
              )
              .then(ship),
          ),
        )
        .onFailure((b: any) => add(b.then(ship)));
      const definition = add(
        add(chain).parallel((p: any) => p.branch((b: any) => add(b.then(pack))).branch((b: any) => b.then(pack))),
      ).build("w", 1);
      return [...definition.index.places.keys()].filter((id) => !id.includes("bill")).toSorted();
    };
    expect(build(true)).toEqual(build(false));
  });

  it("that is given is kept free of the others", () => {
    const definition = begin
      .then(pack)
      .saga((b) => b.then(ship).id("pack").then(pack))
      .build("w", 1);
    expect(idsOf(definition)).toEqual(["pack-2", "saga", "pack", "saga/pack"].toSorted());
  });

  it("of a compensation and of hooks comes from the step", () => {
    const definition = begin
      .then(pack)
      .compensateWith(ship)
      .onFailure((b) => b.then(pack))
      .then(pack)
      .compensateWith(ship)
      .then(ship)
      .compensateWithSequence((b) => b.then(bill).then(pack))
      .build("w", 1);
    expect(idsOf(definition)).toEqual(
      [
        "pack",
        "pack-2",
        "ship",
        "pack/compensation",
        "pack/pack",
        "pack-2/compensation",
        "bill",
        "ship/pack",
      ].toSorted(),
    );
  });

  it("of a graph's node is its own, all over the definition", () => {
    expect(problemsOf(begin.graph((g) => g.node("a", pack)).graph((g) => g.node("a", pack)))).toEqual([
      { stepId: "a", message: expect.stringContaining("unique") },
    ]);
  });

  it("is given once", () => {
    expect(
      problemsOf(
        begin
          .then(pack)
          .id("x")
          .saga((b) => b.then(pack).id("x")),
      ),
    ).toEqual([{ stepId: "x", message: expect.stringContaining("unique") }]);
  });

  it("has at most 512 bytes, no NUL, and no half of a character", () => {
    expect(problemsOf(begin.then(pack).id("é".repeat(256)))).toEqual([]);
    expect(problemsOf(begin.then(pack).id("é".repeat(257)))).toEqual([
      { stepId: "pack", message: expect.stringContaining("at most 512 bytes") },
    ]);
    expect(problemsOf(begin.then(pack).name("a\0b"))).toEqual([
      { stepId: "pack", message: expect.stringContaining("NUL") },
    ]);
    expect(problemsOf(begin.then(pack).name("a\ud800"))).toEqual([
      { stepId: "pack", message: expect.stringContaining("surrogate") },
    ]);
    expect(problemsOf(begin.then(pack).name(" "))).toEqual([
      { stepId: "pack", message: expect.stringContaining("blank") },
    ]);
    const long = "x".repeat(300);
    expect(
      problemsOf(
        begin
          .then(pack)
          .id(long)
          .saga((b) => b.then(pack).name(long))
          .id(`${long}y`),
      ),
    ).toEqual([{ stepId: `${long}y/${long}`, message: expect.stringContaining("give it a shorter one") }]);
  });
});
