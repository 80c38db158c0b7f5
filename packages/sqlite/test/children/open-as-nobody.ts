// Opens a store as a user who may read it and no more, and prints the error.
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { systemRuntime } from "@wfe/core/providers";
import { sqlite } from "../../src/index.ts";

const file = JSON.parse(process.argv[2] ?? "") as string;
chmodSync(dirname(file), 0o755);
chmodSync(file, 0o644);
process.setegid?.(65_534);
process.seteuid?.(65_534);
try {
  await sqlite(file).open({ runtime: systemRuntime() });
  console.log("{}");
} catch (error) {
  console.log(JSON.stringify(error));
}
