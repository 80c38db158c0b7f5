import { describe, it } from "vitest";
import {
  lockConformance,
  memory,
  persistenceConformance,
  queueConformance,
  searchConformance,
} from "../../src/testing/index.ts";

const harness = {
  name: "memory",
  test: { describe, it },
  create: () => memory(),
  reopen: (provider: ReturnType<typeof memory>) => provider,
};

persistenceConformance(harness);
lockConformance(harness);
queueConformance(harness);
searchConformance(harness);
