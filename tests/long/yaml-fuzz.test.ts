import { validateText } from "@wfe/yaml";
import { expect, it } from "vitest";
import { seedOfThisRun } from "../crash/random.ts";
import { randomFrom } from "../support/random.ts";
import { corpus, misbehavior, mutate } from "../yaml/mutations.ts";
import { longRun } from "./long-run.ts";

it(`${longRun.mutations} mutated workflow files are loaded or refused with named problems, none slowly`, () => {
  const seed = seedOfThisRun();
  const random = randomFrom(seed);
  for (const text of corpus) validateText(text);
  for (let index = 0; index < longRun.mutations; index++) {
    const text = mutate(corpus[index % corpus.length] ?? "", random);
    expect(misbehavior(text), `seed ${seed}, mutation ${index}:\n${text}`).toBeUndefined();
  }
});
