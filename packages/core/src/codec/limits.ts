/** The largest value that is stored unless a caller says otherwise: 1 MiB, as `sizeOf` counts. */
export const defaultMaxBytes: number = 1024 * 1024;

/** How deep a value may be nested unless a caller says otherwise. */
export const defaultMaxDepth = 200;

/** The deepest nesting that may be asked for: the walks are recursive and must stay far from the end of the stack. */
export const greatestMaxDepth = 500;

/** How deep a record may be nested: values inside what the engine puts around them. */
export const greatestRecordDepth = 600;

/** For values that the engine made itself, or that were checked when they came in. */
export const unlimited: { readonly maxBytes: number; readonly maxDepth: number } = {
  maxBytes: Infinity,
  maxDepth: greatestMaxDepth,
};
