/** What a body answers when it is asked; the script of a run is made of these. */
export type Answer =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "outcome"; readonly value: unknown }
  /** `stillRuns`: it timed out, and has not returned. */
  | { readonly kind: "throw"; readonly message: string; readonly fatal?: boolean; readonly stillRuns?: boolean }
  | { readonly kind: "persist"; readonly data: unknown }
  | { readonly kind: "sleep"; readonly ms: number; readonly data?: unknown }
  | { readonly kind: "wait-for-event"; readonly name: string; readonly key: string; readonly data?: unknown };

/** How a child workflow ends. */
export type ChildAnswer =
  | { readonly status: "completed"; readonly data: Readonly<Record<string, unknown>> }
  | { readonly status: "failed"; readonly message: string }
  | { readonly status: "terminated" };

export interface PublishedEvent {
  readonly number: number;
  readonly at: number;
  readonly name: string;
  readonly key: string;
  readonly payload: unknown;
}

export interface Failure {
  readonly message: string;
  readonly stepId: string;
  /** Repeating cannot help, here and further out. */
  readonly fatal?: boolean;
}

/** Thrown by a definition's own function: an error of the step it belongs to. */
export class ExpressionThrown extends Error {}

/** What a body is given: the model and the engine must agree on all of it. */
export interface BodyView {
  readonly attempt: number;
  readonly input: unknown;
  readonly data: unknown;
  readonly item: unknown;
  readonly index: number | undefined;
  readonly persisted: unknown;
  readonly event: unknown;
  /** A compensation's: the output, or the words of the error, of what it undoes. */
  readonly undoing: { readonly output?: unknown; readonly error?: string } | null;
}
