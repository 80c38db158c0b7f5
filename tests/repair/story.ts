import { workflow, WorkflowHost } from "@wfe/core";
import type { Provider } from "@wfe/core/providers";
import { testRuntime, type TestClock } from "@wfe/core/testing";

interface Parcel {
  readonly to: string;
  readonly postcode?: string;
}

interface Order {
  readonly parcels: readonly Parcel[];
}

/** One thing that an operator does, and what comes of it. */
export interface Scene {
  readonly title: string;
  readonly call: string;
  readonly output: string;
}

/** What the story leaves behind, for a test to look at. */
export interface Ending {
  readonly scenes: readonly Scene[];
  readonly status: string;
  /** How often each label was printed. */
  readonly printed: ReadonlyMap<string, number>;
  /** What was done for the order, in order. */
  readonly done: readonly string[];
}

const broken = 371;

/** One of 500 items fails, in a child of a saga; an operator finds it, reads why, corrects it and retries that item alone. */
export async function tellStory(providers: readonly Provider[], clock: TestClock): Promise<Ending> {
  const printed = new Map<string, number>();
  const done: string[] = [];
  const note = (what: string) => () => void done.push(what);
  const ship = workflow<Order>()
    .forEach(
      (data) => data.parcels,
      (b) =>
        b
          .then((_, ctx) => {
            const { to, postcode } = ctx.item;
            if (postcode === undefined) throw new RangeError(`postcode missing for parcel to ${to}`);
            const label = `${ctx.workflow.id}: ${to}`;
            printed.set(label, (printed.get(label) ?? 0) + 1);
            return `label ${ctx.index}`;
          })
          .id("print label"),
      { as: "labels", onFailure: "wait" },
    )
    .id("parcels")
    .build("ship", 1);
  const order = workflow<Order>()
    .saga((s) =>
      s
        .then(note("stock reserved"))
        .id("reserve stock")
        .compensateWith(note("stock released"))
        .runWorkflow("ship", (data) => ({ parcels: data.parcels }))
        .id("ship parcels")
        .onError("suspend")
        .then(note("card charged"))
        .id("charge card"),
    )
    .id("fulfil")
    .then(note("mail sent"))
    .id("send mail")
    .build("order", 1);

  let ids = 0;
  const host = new WorkflowHost({
    providers,
    workflows: [order, ship],
    runtime: { ...testRuntime({ clock }), randomId: () => idOf(++ids) },
    name: "worker-1",
    log: silent,
  });
  await host.start();
  const parcels = Array.from({ length: 500 }, (_, n): Parcel =>
    n === broken ? { to: "Ann" } : { to: `customer ${n}`, postcode: "1010" },
  );
  for (const id of ["order-16", "order-17"]) {
    const all = id === "order-17" ? parcels : parcels.filter(({ postcode }) => postcode !== undefined);
    await host.startWorkflow(order, { parcels: all }, { id, tags: ["christmas"] });
  }
  for (let second = 0; second < 30; second++) await clock.advance("1s");

  const scenes: Scene[] = [];
  const scene = (title: string, call: string, output: string): void => void scenes.push({ title, call, output });
  const found = (await host.searchWorkflows("postcode missing")).items;
  scene(
    "Find it",
    'const { items } = await host.searchWorkflows("postcode missing");',
    found.map(({ id, status, error }) => `${id}  ${status}  ${error?.message ?? ""}`).join("\n"),
  );
  const parent = await host.explain("order-17");
  scene("Read why", '(await host.explain("order-17")).text', parent.text);
  const childId = parent.failures[0]?.workflowId ?? "";
  const child = await host.explain(childId);
  scene("Look at the child", `(await host.explain("${childId}")).text`, child.text);

  const ann = host.as("ann");
  await (await ann.setItem(childId, "parcels", broken, { to: "Ann", postcode: "1190" })).applied();
  await (await ann.retryWorkflow(childId, { from: "print label", item: broken })).applied();
  await clock.advance("1s");
  scene(
    "Correct the item, and retry it alone",
    [
      'const ann = host.as("ann");',
      `await ann.setItem("${childId}", "parcels", ${broken}, { to: "Ann", postcode: "1190" });`,
      `await ann.retryWorkflow("${childId}", { from: "print label", item: ${broken} });`,
    ].join("\n"),
    await interventions(host, childId),
  );
  const ended = await host.getWorkflow("order-17");
  scene("The order has gone on", '(await host.explain("order-17")).text', (await host.explain("order-17")).text);
  await host.stop({ timeout: 0 });
  return { scenes, status: ended?.status ?? "", printed, done };
}

/** What people did to a workflow, and how it ended. */
async function interventions(host: WorkflowHost, id: string): Promise<string> {
  const told: string[] = [];
  for (let cursor: string | undefined; ;) {
    const page = await host.history(id, { limit: 1_000, ...(cursor === undefined ? {} : { cursor }) });
    for (const { seq, kind, actor, call, stepId, index } of page.items) {
      if (actor === undefined && kind !== "workflow-completed") continue;
      const what = [call ?? stepId, index === undefined ? undefined : `item ${index}`].filter(
        (part) => part !== undefined,
      );
      told.push(`turn ${seq}  ${kind}  ${what.join(", ")}${actor === undefined ? "" : `  by ${actor}`}`.trimEnd());
    }
    ({ cursor } = page);
    if (cursor === undefined) return told.join("\n");
  }
}

/** Looks random from its beginning on, and is the same in every run. */
function idOf(number: number): string {
  return `${(Math.imul(number, 0x9e3779b1) >>> 0).toString(36).padStart(7, "0")}-${number.toString(36)}`;
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
