import type { StandardSchema } from "../definition/standard-schema.ts";
import { InvalidOptionError } from "../errors.ts";
import { Chain } from "./chain.ts";
import { shown } from "./names.ts";
import type { NoChainLink, ChainPlace, StraightCourse } from "./types/chain-types.ts";
import type { WorkflowBuilder } from "./types/workflow-builder.ts";

/** Options of {@link workflow}. */
export interface WorkflowOptions<Input, Data> {
  /** Validates the data that a workflow is started with; its output is the data. Any Standard Schema: zod, valibot, arktype... */
  readonly data: StandardSchema<Input, Data>;
}

/**
 * Begins the definition of a workflow whose data is `Data`.
 *
 * ```ts
 * export const order = workflow<Order>()
 *   .startWith(reserve).as("stock")
 *   .then(charge, (data) => ({ amount: data.amount })).as("charge")
 *   .build("order", 1);
 * ```
 *
 * Throws `InvalidOptionError` for a schema that is none.
 */
export function workflow<Data extends object = {}>(): WorkflowBuilder<
  Data,
  {},
  NoChainLink,
  ChainPlace<undefined, undefined, Data>,
  StraightCourse
>;
export function workflow<Input, Data extends object>(
  options: WorkflowOptions<Input, Data>,
): WorkflowBuilder<Data, {}, NoChainLink, ChainPlace<undefined, undefined, Input>, StraightCourse>;
export function workflow(options?: WorkflowOptions<unknown, object>): unknown {
  if (options === undefined) return new Chain({ whole: true });
  const dataSchema = options?.data;
  if (typeof dataSchema?.["~standard"]?.validate !== "function") {
    throw new InvalidOptionError(
      `\`data\` must be a Standard Schema (zod, valibot, arktype...), got ${shown(dataSchema)}`,
    );
  }
  return new Chain({ whole: true, dataSchema });
}
