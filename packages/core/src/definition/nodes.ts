import type { Duration } from "../duration.ts";
import type { ErrorBehavior } from "./error-behavior.ts";
import type { StandardSchema } from "./standard-schema.ts";
import type { At, StepContext } from "./step-context.ts";

/**
 * A definition is a tree: a block is a sequence of nodes, and container nodes have blocks of their own. Nodes are plain,
 * frozen data plus the user's functions; builder and YAML make the same ones, and only the engine reads them.
 */
export interface Block {
  readonly nodes: readonly DefinitionNode[];
}

/** A small pure synchronous function of the data: a condition, key, value, duration, collection or input map. */
export type Expression<Result = unknown> = (data: any, at: At) => Result;

/** A constant, or a function of the data. */
export type ValueOrExpression<Value> = Value | Expression<Value>;

/** The output map: gives the patch that is merged into the data. */
export type OutputMap = (data: any, output: any, at: At) => Record<string, unknown>;

/** A step's body as a function. */
export type StepFunction = (input: any, ctx: StepContext<any>) => unknown;
/** A step's body as a class: one instance per attempt. */
export type StepClass = new (...args: any[]) => { run(input: any, ctx: StepContext<any>): unknown };

/** What every node has. Modifiers that a kind does not take are absent; the builder's types and `build()` see to it. */
export interface NodeBase {
  /** Unique in the definition and stable: given by `.id`, or derived from name and place. */
  readonly id: string;
  readonly name: string;
  /** Key of the data that takes the output. */
  readonly as?: string;
  readonly output?: OutputMap;
  /** Whether what `output` gives belongs to the item of the `for-each` around the node, as what `as` sets does. */
  readonly outputOfItem?: true;
  /** What a failure that is gone past (`ignore`) merges into the data, told by the error as it is stored. Of steps alone. */
  readonly outputOfFailure?: (data: any, error: Error, at: At) => Record<string, unknown>;
  readonly onError?: ErrorBehavior;
  /** Milliseconds per attempt. */
  readonly timeoutMs?: number;
  /** What undoes the node once it has begun. */
  readonly compensation?: Block;
  readonly onFailure?: Block;
  readonly ensure?: Block;
  readonly onCrash?: "retry" | "fail" | "suspend";
  readonly cancelWhen?: { readonly condition: Expression<boolean>; readonly proceed: boolean };
}

export interface StepNode extends NodeBase {
  readonly kind: "step";
  readonly body: StepFunction | StepClass;
  /** Whether `body` is a class with a `run` method. */
  readonly isClass: boolean;
  readonly input?: Expression;
}

export interface IfNode extends NodeBase {
  readonly kind: "if";
  readonly condition: Expression<boolean>;
  readonly then: Block;
  readonly otherwise?: Block;
}

/** Branches by a value as text; without `value`, by the outcome of the node before it in the same body. */
export interface DecideNode extends NodeBase {
  readonly kind: "decide";
  readonly value?: Expression;
  readonly cases: ReadonlyMap<string, Block>;
  readonly otherwise?: Block;
}

export interface WhileNode extends NodeBase {
  readonly kind: "while" | "do-while";
  readonly condition: Expression<boolean>;
  readonly body: Block;
}

export interface ForEachNode extends NodeBase {
  readonly kind: "for-each";
  readonly items: Expression<Iterable<unknown>>;
  readonly body: Block;
  /** Items at the same time; 1 is sequential. */
  readonly concurrency: number;
  /** Key of the data that takes the bodies' last outputs, in order; `output` is given the same list. */
  readonly as?: string;
  /** Items have no data of their own: what `as` sets in them belongs to what is around. */
  readonly sharesData?: true;
  readonly onBranchFailure: "cancel" | "wait";
}

export interface ParallelNode extends NodeBase {
  readonly kind: "parallel";
  readonly branches: readonly Block[];
  readonly onBranchFailure: "cancel" | "wait";
}

/** A DAG. Each vertex is a node of its own, run when all that it needs has ended; its output is `data[id]`. */
export interface GraphNode extends NodeBase {
  readonly kind: "graph";
  readonly vertices: readonly { readonly node: DefinitionNode; readonly needs: readonly string[] }[];
  readonly concurrency: number;
  readonly onBranchFailure: "cancel" | "wait";
}

export interface SagaNode extends NodeBase {
  readonly kind: "saga";
  readonly body: Block;
}

/** One event that a wait takes. `label` is the key of `waitForAny` and `waitForAll`; of a plain `waitFor` it is "". */
export interface AwaitedEvent {
  readonly label: string;
  readonly name: string;
  readonly key: ValueOrExpression<string>;
  readonly schema?: StandardSchema;
}

export interface WaitNode extends NodeBase {
  readonly kind: "wait";
  /** `one`: the payload is the output. `any`: `{ which, payload }`. `all`: `{ [label]: payload }`. */
  readonly mode: "one" | "any" | "all";
  readonly events: readonly AwaitedEvent[];
  readonly timeout?: ValueOrExpression<Duration>;
  readonly onTimeout?: Block;
  readonly remind?: { readonly every: ValueOrExpression<Duration>; readonly do: Block };
  /** Which events count before this line of control has read from the stream. */
  readonly asOf: "start" | "now" | "beginning" | Date;
}

export interface DelayNode extends NodeBase {
  readonly kind: "delay";
  readonly duration: ValueOrExpression<Duration>;
}

export interface SleepUntilNode extends NodeBase {
  readonly kind: "sleep-until";
  readonly date: ValueOrExpression<Date | number>;
}

export interface RunWorkflowNode extends NodeBase {
  readonly kind: "run-workflow";
  readonly definitionId: string;
  /** Default: the highest version registered where the child is started. */
  readonly definitionVersion?: number;
  readonly input?: Expression;
}

export interface EndNode extends NodeBase {
  readonly kind: "end";
}

export interface FailNode extends NodeBase {
  readonly kind: "fail";
  readonly message: ValueOrExpression<string>;
}

export type DefinitionNode =
  | StepNode
  | IfNode
  | DecideNode
  | WhileNode
  | ForEachNode
  | ParallelNode
  | GraphNode
  | SagaNode
  | WaitNode
  | DelayNode
  | SleepUntilNode
  | RunWorkflowNode
  | EndNode
  | FailNode;

export type NodeKind = DefinitionNode["kind"];
