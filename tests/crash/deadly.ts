import { type StepContext, workflow } from "@wfe/core";

type Die = () => void;

/** Workflows whose step kills its process. */
export function deadlyOf(die: Die) {
  /** Dies in its attempts below `dieBelow`. */
  const step = ({ dieBelow }: { dieBelow: number }, ctx: StepContext): { attempt: number } => {
    if (ctx.step.attempt < dieBelow) die();
    return { attempt: ctx.step.attempt };
  };
  const judged = Object.fromEntries(
    (["retry", "fail", "suspend"] as const).map((onCrash) => [
      onCrash,
      workflow<{ dieBelow: number }>().startWith(step).as("step").onCrash(onCrash).build(`deadly-${onCrash}`, 1),
    ]),
  ) as Readonly<Record<"retry" | "fail" | "suspend", ReturnType<typeof build>>>;
  return { judged };

  function build() {
    return workflow<{ dieBelow: number }>().startWith(step).as("step").build("deadly", 1);
  }
}
