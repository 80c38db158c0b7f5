import { expect, it } from "vitest";
import { begin, bill, pack, ship, untyped } from "./steps.ts";

it("draws containers as subgraphs, and what may happen as dotted arrows", () => {
  const chart = begin
    .then(pack)
    .compensateWith(ship)
    .ifDo(
      (data) => data.n > 1,
      (b) => b.then(bill).then(ship),
      (b) => b.then(pack),
    )
    .parallel((p) => p.branch((b) => b.then(pack)).branch((b) => b.delay("90m")))
    .graph((g) => g.node("a", pack).node("b", ship, { needs: ["a"] }))
    .waitFor("order.approved", "k", { timeout: "1d", onTimeout: (b) => b.then(bill) })
    .runWorkflow("child")
    .endWorkflow()
    .build("order", 1)
    .toMermaid();
  expect(chart).toMatchInlineSnapshot(`
    "flowchart TD
      %% order, version 1
      n0["pack"]
      n1["ship"]
      n0 -.->|"undo"| n1
      subgraph n2["if"]
        n3{"?"}
        n4["bill"]
        n5["ship"]
        n4 --> n5
        n3 -->|"yes"| n4
        n6["pack"]
        n3 -->|"no"| n6
      end
      n0 --> n2
      subgraph n7["parallel"]
        subgraph n8["branch 1"]
          n9["pack"]
        end
        subgraph n10["branch 2"]
          n11("delay 90m")
        end
      end
      n2 --> n7
      subgraph n12["graph"]
        n13["a"]
        n14["b"]
        n13 --> n14
      end
      n7 --> n12
      n15{{"wait for order.approved"}}
      n16["bill"]
      n15 -.->|"time-out"| n16
      n12 --> n15
      n17[["run child"]]
      n15 --> n17
      n18(["end"])
      n17 --> n18
    "
  `);
});

it("keeps labels from being read as Mermaid", () => {
  const chart = untyped()
    .then(pack)
    .name('a "b" <c> #d; `e` \\n end\nsubgraph %%{init: {}}%%')
    .decide(() => "x", { '"|': (b: any) => b.then(ship).name("[end]") })
    .build("w\n%%{init: {}}", 1)
    .toMermaid();
  expect(chart).toMatchInlineSnapshot(`
    "flowchart TD
      %% w init:, version 1
      n0["a #quot;b#quot; #lt;c#gt; #35;d; #96;e#96; #92;n end subgraph #37;#37;{init: {}}#37;#37;"]
      subgraph n1["decide"]
        n2{"?"}
        n3["[end]"]
        n2 -->|"#quot;|"| n3
      end
      n0 --> n1
    "
  `);
});
