/* oxlint-disable typescript/no-unnecessary-type-parameters -- a type parameter used once is how TypeScript tells types apart */
// Compiled, never run: see types.test.ts.

/** Whether two types are the same, also in what is optional, readonly or `any`. */
export type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** `is<Same<A, B>>()` compiles when it is so. */
export declare function is<_Holds extends true>(): void;
