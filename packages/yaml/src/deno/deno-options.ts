/** What the application, not the file, decides about steps of type `deno`. */
export interface DenoHostOptions {
  /** Allows `permissions: { run: true }`, with which a script is in no sandbox. Default `false`. */
  readonly trusted?: boolean;
  /** Modules that files may list in `modules`: `npm:ms`, `npm:@scope/*`, `https://esm.sh/*`... Default: none. */
  readonly allowModules?: readonly string[];
  /** Where fetched modules are kept. Default: `wfe/deno-modules` in the user's cache folder. */
  readonly modulesFolder?: string;
  /** Paths that `read` and `write` grant must lie in one of these folders. Default: anywhere. */
  readonly roots?: readonly string[];
  /** Megabytes of heap for a script; buffers may take another 128. Default 256. */
  readonly memoryMb?: number;
  /** Bytes that a script may print. Default 16 MiB. */
  readonly outputBytes?: number;
}
