// Opens a store, whose schema it makes. Killed on its way.
import { systemRuntime } from "@wfe/core/providers";
import { postgres } from "../../src/index.ts";

await postgres(process.argv[2] ?? "").open({ runtime: systemRuntime() });
