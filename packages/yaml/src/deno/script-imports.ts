import { initSync, parse } from "es-module-lexer";

/** An import of a script, by where it stands in the text. */
export interface ScriptImport {
  readonly offset: number;
  /** Undefined where only running the script would tell. */
  readonly specifier: string | undefined;
  readonly dynamic: boolean;
}

let ready = false;

/**
 * The imports of a script, static and dynamic, without running it.
 *
 * TypeScript is read as JavaScript, which its types rarely disturb. Where they do, the answer has no static imports, and each
 * place that may be an `import()`. This is for messages at load: what a script may import is decided when it runs, by permissions.
 */
export function scriptImports(source: string): readonly ScriptImport[] {
  if (!ready) initSync();
  ready = true;
  try {
    return parse(source)[0].flatMap(({ d: kind, n: specifier, s: offset }) =>
      // -2 is `import.meta`.
      kind === -2 ? [] : [{ offset: kind === -1 ? offset : kind, specifier, dynamic: kind !== -1 }],
    );
  } catch {
    return [...source.matchAll(/\bimport\s*\(/g)].map(({ index }) => ({
      offset: index,
      specifier: undefined,
      dynamic: true,
    }));
  }
}
