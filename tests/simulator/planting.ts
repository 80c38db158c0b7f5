import { registerHooks } from "node:module";
import type { Plant } from "./plants.ts";

/**
 * From now on the plant's file is loaded with the fault in it. The sources hold no trace of it: production pays nothing, and no
 * switch can be left on. Throws when the file is loaded and the code it knows is not there.
 */
export function plantInto(plant: Plant): void {
  const ending = `/packages/core/src/${plant.file}`;
  registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!url.split("?", 1)[0]?.endsWith(ending)) return loaded;
      return { ...loaded, source: withFault(plant, sourceText(loaded.source)) };
    },
  });
}

/** The source with the fault in it. Throws where the code it knows is not there. */
export function withFault({ name, file, edits }: Plant, source: string): string {
  let text = source;
  for (const { find, replace } of edits) {
    const parts = text.split(find);
    if (parts.length !== 2)
      throw new Error(
        `the planted bug \`${name}\` fits ${parts.length - 1} places of ${file}: the code has changed, make the plant anew`,
      );
    text = parts.join(replace);
  }
  return text;
}

function sourceText(source: string | ArrayBuffer | NodeJS.TypedArray | undefined | null): string {
  if (typeof source === "string") return source;
  if (source === undefined || source === null) throw new TypeError("a source has no text");
  return new TextDecoder().decode(source);
}
