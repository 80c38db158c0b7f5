export type { StepCall, StepOutcome, StepPlace, StepProblem, StepType } from "./step-types/step-type.ts";
