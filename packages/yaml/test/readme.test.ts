import { readFileSync } from "node:fs";
import { validateText } from "@wfe/yaml";
import { expect, it } from "vitest";

it("the workflow of the package's page loads", () => {
  const page = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  const [, text = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
  expect(text).toContain("workflow:");
  expect(validateText(text)).toEqual([]);
});
