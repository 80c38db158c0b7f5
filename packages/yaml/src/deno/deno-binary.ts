import { accessSync, constants } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { DenoError } from "./deno-error.ts";

/**
 * The path of the Deno binary that the npm package `deno` brings.
 *
 * It is a binary inside of the package, or of the package for this platform that it depends on; one that happens to be in the
 * PATH is never used, since the sandbox is tested with one version. `from` is the module that looks for the package. Throws `DENO_NOT_INSTALLED`.
 */
export function denoBinary(from: string = import.meta.url): string {
  const require = createRequire(from);
  const name = process.platform === "win32" ? "deno.exe" : "deno";
  const platform = process.platform === "linux" ? `linux-${process.arch}-glibc` : `${process.platform}-${process.arch}`;
  for (const owner of [`@deno/${platform}`, "deno"]) {
    try {
      const file = join(dirname(require.resolve(`${owner}/package.json`)), name);
      accessSync(file, constants.X_OK);
      return file;
    } catch {
      // Not there: the next one may be.
    }
  }
  throw new DenoError(
    "DENO_NOT_INSTALLED",
    `steps of type \`deno\` need the optional package \`deno\`, which has no binary for ${platform} here: run \`npm install\` without \`--omit=optional\`, on a platform that the package has a binary for`,
  );
}
