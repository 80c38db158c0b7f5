/** The source of a workflow with this many steps of several kinds, which uses every key at its end. */
export function chainOfSteps(length: number): string {
  const links = Array.from({ length }, (_, index) => {
    const before = `k${index - 1}`;
    const links = [
      `.then((data) => ({ v: data.a })).as("k${index}")`,
      `.then(async (input: { n: number }, ctx) => ctx.data.${before}.v + input.n, (data) => ({ n: data.${before}.v })).as("k${index}").timeout("5s").onError("suspend")`,
      `.then((data: { ${before}: number; id: string }) => data.id).name("s${index}").as("k${index}").compensateWith((data) => data.k${index})`,
      `.then(() => new Date()).output((data, output) => ({ k${index}: output }))`,
      `.thenFn((data) => data.k0.v).as("k${index}").onError("ignore")`,
    ];
    return links[index % links.length];
  });
  return program(links, ["{ v: number }", "number", "string", "Date", "number | undefined"]);
}

/** The same of containers of several kinds. */
export function chainOfContainers(length: number): string {
  const links = Array.from({ length }, (_, index) => {
    const key = `k${index}`;
    const links = [
      `.ifDo((data) => data.a > 1, (b) => b.then((data) => data.a).as("${key}").then((data) => data.${key}).as("l${index}"), (b) => b.then((data) => data.a).as("${key}"))`,
      `.parallel((p) => p.branch((b) => b.then((data) => data.id).as("${key}").then((data) => data.${key})).branch((b) => b.then((data) => data.a).as("l${index}")))`,
      `.forEach((data) => data.items, (b) => b.then((data, ctx) => ctx.item.sku), { as: "${key}" })`,
      `.saga((b) => b.then((data) => data.a).as("${key}").compensateWith((data) => data.${key}).then((data) => data.${key}).as("l${index}"))`,
      `.whileDo((data) => data.a > 1, (b) => b.then((data) => data.a).as("${key}"))`,
      `.decide((data) => data.which, { a: (b) => b.then((data) => data.a).as("${key}"), b: (b) => b.then((data) => data.id).as("${key}") })`,
    ];
    return links[index % links.length];
  });
  return program(links, ["number", "string", "string[]", "number", "number | undefined", "number | string"]);
}

function program(links: readonly (string | undefined)[], types: readonly string[]): string {
  return `
    import { workflow, type WorkflowDefinition } from "@wfe/core";
    interface Start { a: number; id: string; which: "a" | "b"; items: { sku: string }[] }
    const definition = workflow<Start>()
      ${links.join("\n      ")}
      .endWorkflow()
      .build("long", 1);
    type End = typeof definition extends WorkflowDefinition<Start, infer Result> ? Result : never;
    type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
    ${links.map((_, index) => `export const is${index}: Same<End["k${index}"], ${types[index % types.length]}> = true;`).join("\n    ")}
  `;
}
