import { readFileSync, writeFileSync } from "node:fs";
import { TestClock } from "@wfe/core/testing";
import { expect, it, onTestFinished } from "vitest";
import { stores } from "../support/stores.ts";
import { tellStory, type Scene } from "./story.ts";

const page = new URL("../../docs/repair.md", import.meta.url);
/** `WFE_WRITE_DOCS=1` writes the page's output anew. */
const writes = process.env["WFE_WRITE_DOCS"] === "1";

it.each(stores)(
  "one failed item of 500, in a child of a saga, is found, corrected and retried alone, on $name",
  async (store) => {
    const clock = new TestClock();
    const opened = store.open(clock);
    onTestFinished(() => opened.remove());
    const { scenes, status, printed, done } = await tellStory(opened.connect(), clock);
    expect(status).toBe("completed");
    expect([...printed.values()].every((times) => times === 1)).toBe(true);
    // 499 parcels of the one order and 500 of the other, each once.
    expect(printed.size).toBe(999);
    expect(done.filter((what) => what === "stock released")).toEqual([]);
    expect(done.slice(-2)).toEqual(["card charged", "mail sent"]);
    // A part of a child's id is random.
    const told = scenes
      .map(written)
      .join("\n")
      .replaceAll(/order-17\/\w{6}\./gu, "order-17/4f2a9c.");
    const text = readFileSync(page, "utf8");
    const [before = "", rest = ""] = text.split("<!-- begin of the output -->\n\n");
    const [output, after = ""] = rest.split("\n<!-- end of the output -->\n");
    if (writes) {
      writeFileSync(page, `${before}<!-- begin of the output -->\n\n${told}\n<!-- end of the output -->\n${after}`);
      return;
    }
    expect(output).toBe(told);
  },
);

function written({ title, call, output }: Scene): string {
  return `## ${title}\n\n\`\`\`ts\n${call}\n\`\`\`\n\n\`\`\`text\n${output.trimEnd()}\n\`\`\`\n`;
}
