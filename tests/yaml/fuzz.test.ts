import { validateText } from "@wfe/yaml";
import { expect, it } from "vitest";
import { randomFrom } from "../support/random.ts";
import { corpus, misbehavior, mutate } from "./mutations.ts";

it("the files that mutations begin with are right", () => {
  for (const text of corpus) expect(validateText(text)).toEqual([]);
});

it("300 mutated files are loaded or refused with named problems, none slowly", () => {
  const random = randomFrom(20_301);
  // What is compiled at the first call is no cost of a file.
  for (const text of corpus) validateText(text);
  for (let index = 0; index < 300; index++) {
    const text = mutate(corpus[index % corpus.length] ?? "", random);
    expect(misbehavior(text), `mutation ${index}:\n${text}`).toBeUndefined();
  }
});

it("fifty files are validated in less than a second", () => {
  for (const text of corpus) validateText(text);
  const before = process.cpuUsage();
  for (let index = 0; index < 50; index++)
    validateText((corpus[index % corpus.length] ?? "").replace("version: 3", `version: ${index + 1}`));
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1000).toBeLessThan(1000);
});
