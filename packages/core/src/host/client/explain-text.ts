import type { WorkflowRow } from "../../providers/records.ts";
import type { Explanation } from "./explain.ts";

interface Surroundings {
  readonly parent: WorkflowRow | undefined;
  readonly reason: string | null;
}

/** What has happened and what is waited for, as text for a terminal or a page. */
export function explainText(told: Omit<Explanation, "text" | "story">, { parent, reason }: Surroundings): string {
  const lines = [
    `Workflow \`${told.id}\` (${told.definitionId}, version ${told.version}) is ${told.status}${reasonOf(reason)}.`,
  ];
  if (parent !== undefined) lines.push(`It is a child of \`${parent.id}\`, which is ${parent.status}.`);
  lines.push("", "What happened:", ...told.happened.map(({ at, text }) => `  ${time(at)}  ${text}`));
  if (told.failures.length > 0) {
    lines.push("", "Why:");
    for (const { workflowId, stepId, item, attempt, error } of told.failures) {
      const where = [
        stepId === "" ? "the workflow" : `step \`${stepId}\``,
        ...(item.length === 0 ? [] : [`item ${item.join(", ")}`]),
        ...(attempt === undefined ? [] : [`attempt ${attempt}`]),
        ...(workflowId === told.id ? [] : [`of child \`${workflowId}\``]),
      ];
      lines.push(`  ${where.join(", ")}: ${error.name}: ${error.message}`);
    }
  }
  if (told.waitsFor.length > 0) {
    lines.push("", "What it waits for:");
    for (const { text, until } of told.waitsFor)
      lines.push(`  ${text}${until === undefined ? "" : `, until ${time(until)}`}`);
  }
  return `${lines.join("\n")}\n`;
}

/** What can be done, to follow it. */
export function actionsText(actions: Explanation["actions"]): string {
  if (actions.length === 0) return "";
  return `\nWhat can be done:\n${actions.map((action) => `  ${callOf(action)}  ${action.text}\n`).join("")}`;
}

function reasonOf(reason: string | null): string {
  return reason === null ? "" : `: ${reason.replace(/\.$/u, "")}`;
}

/** Calls with an argument at their end that only a person knows. */
const leavesOut: ReadonlySet<string> = new Set(["setData", "setItem", "publishEvent", "skipStep"]);

function callOf({ call, arguments: args }: Explanation["actions"][number]): string {
  const given = args.map((one) => JSON.stringify(one) ?? "...");
  const open = !args.includes(undefined) && leavesOut.has(call);
  return `${call}(${[...given, ...(open ? ["..."] : [])].join(", ")})`;
}

function time(at: number): string {
  return new Date(at).toISOString();
}
