export {
  fileOfWorkflow,
  loadWorkflow,
  loadWorkflows,
  parseWorkflow,
  parseWorkflows,
  validateFile,
  validateText,
} from "./load/load.ts";
export type { LoadOptions, ParseOptions } from "./load/options.ts";
export type { SecretSource } from "./running/secrets.ts";
export { fileCache, memoryCache } from "./running/step-cache.ts";
export type { StepCache } from "./running/step-cache.ts";
export { formatProblems } from "./source/formats.ts";
export type { ProblemFormat } from "./source/formats.ts";
export type { Variables } from "./source/fill-variables.ts";
export { InvalidWorkflowFileError } from "./source/invalid-workflow-file-error.ts";
export type { Problem, ProblemCode } from "./source/problem.ts";
export type { StepOutput } from "./compile/outputs.ts";
export type { StepCall, StepOutcome, StepPlace, StepProblem, StepType } from "./step-types/step-type.ts";
export { editWorkflow, saveWorkflow } from "./edit/edit-workflow.ts";
export type { EditPath, WorkflowEdit } from "./edit/edit-workflow.ts";
export type { HttpOptions } from "./http/http-type.ts";
export type { JsonSchema, StepTypeDescription } from "./schema/json-schema.ts";
export { describeStepTypes, workflowJsonSchema } from "./schema/json-schema.ts";
