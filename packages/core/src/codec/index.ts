export { copy, type CopyOptions } from "./copy.ts";
export { decode } from "./decode.ts";
export { encode } from "./encode.ts";
export { handOut } from "./hand-out.ts";
export { applyPatch, diffPatch, type PatchEntry, type StoredPatch } from "./patch.ts";
export { sizeOf } from "./size-of.ts";
