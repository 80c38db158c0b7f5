import type { Duration } from "../duration.ts";
import type { Block, DefinitionNode } from "./nodes.ts";

/**
 * A Mermaid flowchart: containers are subgraphs, full arrows are what happens, dotted ones what may happen beside or after it.
 *
 * Ids are `n0`, `n1`..., for words of users might be words of Mermaid; labels are quoted, with its entity codes.
 */
export function toMermaid(id: string, version: number, body: Block): string {
  const chart = new Chart();
  // Mermaid reads `%%{...}` as settings, also within a comment.
  chart.line(`%% ${id.replaceAll(/[\s%{}]+/g, " ").trim()}, version ${version}`);
  chart.sequence(body);
  return `flowchart TD\n${chart.lines.join("\n")}\n`;
}

/** Where a block begins and ends, for arrows; undefined when it is empty. */
interface Ends {
  readonly first: string;
  readonly last: string;
}

class Chart {
  readonly lines: string[] = [];
  #depth = 1;
  #count = 0;

  line(text: string): void {
    this.lines.push(`${"  ".repeat(this.#depth)}${text}`);
  }

  /** The nodes of a block, one after the other. */
  sequence(block: Block): Ends | undefined {
    let ends: Ends | undefined;
    for (const node of block.nodes) {
      const id = this.#node(node);
      if (ends !== undefined) this.line(`${ends.last} --> ${id}`);
      ends = { first: ends?.first ?? id, last: id };
    }
    return ends;
  }

  #node(node: DefinitionNode): string {
    const id = `n${this.#count++}`;
    this.#shape(id, node);
    if (node.kind === "wait") {
      if (node.onTimeout !== undefined) this.#beside(id, "time-out", node.onTimeout);
      if (node.remind !== undefined) this.#beside(id, "remind", node.remind.do);
    }
    if (node.compensation !== undefined) this.#beside(id, "undo", node.compensation);
    if (node.onFailure !== undefined) this.#beside(id, "on failure", node.onFailure);
    if (node.ensure !== undefined) this.#beside(id, "ensure", node.ensure);
    return id;
  }

  #shape(id: string, node: DefinitionNode): void {
    const text = label(node);
    switch (node.kind) {
      case "step":
        return this.line(`${id}[${text}]`);
      case "run-workflow":
        return this.line(`${id}[[${text}]]`);
      case "wait":
        return this.line(`${id}{{${text}}}`);
      case "delay":
      case "sleep-until":
        return this.line(`${id}(${text})`);
      case "end":
      case "fail":
        return this.line(`${id}([${text}])`);
      case "if":
        return this.#choice(id, text, [
          ["yes", node.then],
          ...(node.otherwise === undefined ? [] : ([["no", node.otherwise]] as const)),
        ]);
      case "decide":
        return this.#choice(id, text, [
          ...node.cases,
          ...(node.otherwise === undefined ? [] : ([["default", node.otherwise]] as const)),
        ]);
      case "while":
      case "do-while":
      case "for-each":
      case "saga":
        return this.#inside(id, text, () => void this.sequence(node.body));
      case "parallel":
        return this.#inside(id, text, () => {
          for (const [index, branch] of node.branches.entries()) {
            this.#inside(`n${this.#count++}`, quoted(`branch ${index + 1}`), () => void this.sequence(branch));
          }
        });
      case "graph":
        return this.#inside(id, text, () => {
          const drawn = new Map(node.vertices.map((vertex) => [vertex.node.id, this.#node(vertex.node)]));
          for (const { node: vertex, needs } of node.vertices) {
            for (const need of needs) this.line(`${drawn.get(need)} --> ${drawn.get(vertex.id)}`);
          }
        });
    }
  }

  #choice(id: string, text: string, branches: readonly (readonly [string, Block])[]): void {
    this.#inside(id, text, () => {
      const question = `n${this.#count++}`;
      this.line(`${question}{${quoted("?")}}`);
      for (const [answer, block] of branches) {
        const ends = this.sequence(block);
        if (ends !== undefined) this.line(`${question} -->|${quoted(answer)}| ${ends.first}`);
      }
    });
  }

  #inside(id: string, text: string, draw: () => void): void {
    this.line(`subgraph ${id}[${text}]`);
    this.#depth++;
    draw();
    this.#depth--;
    this.line("end");
  }

  #beside(id: string, why: string, block: Block): void {
    const ends = this.sequence(block);
    if (ends !== undefined) this.line(`${id} -.->|${quoted(why)}| ${ends.first}`);
  }
}

/** The name; of a node without one, what it does. */
function label(node: DefinitionNode): string {
  return quoted(node.name === node.kind ? deed(node) : node.name);
}

function deed(node: DefinitionNode): string {
  switch (node.kind) {
    case "wait":
      return `wait for ${node.events.map((event) => event.name).join(node.mode === "all" ? " and " : " or ")}`;
    case "delay":
      return typeof node.duration === "function" ? "delay" : `delay ${shortly(node.duration)}`;
    case "sleep-until":
      return typeof node.date === "function" ? "sleep until" : `sleep until ${new Date(node.date).toISOString()}`;
    case "run-workflow":
      return `run ${node.definitionId}`;
    case "fail":
      return typeof node.message === "function" ? "fail" : `fail: ${node.message}`;
    case "for-each":
      return "for each";
    case "do-while":
      return "do while";
    case "if":
    case "decide":
    case "while":
    case "parallel":
    case "graph":
    case "saga":
    case "step":
    case "end":
      return node.kind;
  }
}

/** A duration in the longest unit that it is a whole number of. */
function shortly(duration: Duration): string {
  if (typeof duration === "string") return duration;
  const units = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 };
  const [unit, ms] = Object.entries(units).find(([, each]) => duration >= each && duration % each === 0) ?? ["ms", 1];
  return `${duration / ms}${unit}`;
}

/** In quotes, with Mermaid's entity codes for what would end the text or be read as markup. */
function quoted(text: string): string {
  const codes: Readonly<Record<string, string>> = {
    "#": "#35;",
    '"': "#quot;",
    "<": "#lt;",
    ">": "#gt;",
    "&": "#amp;",
    "`": "#96;",
    "\\": "#92;",
    "%": "#37;",
  };
  const safe = text.replaceAll(/\s+/g, " ").replaceAll(/[#"<>&`\\%]/g, (character) => codes[character] ?? character);
  return `"${safe === "" ? " " : safe}"`;
}
