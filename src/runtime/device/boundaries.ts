/** Steps of a plan before which a run can be put down: where another block of the model begins. */
import type { Plan } from "../../placement/index.ts";
import type { Program } from "../../program/index.ts";

/** Ascending; every device stops at the same ones. */
export function boundaries(program: Program, plan: Plan): number[] {
  const found: number[] = [];
  let furthest = -1;
  let block = "";
  for (const [index, { operation }] of plan.steps.entries()) {
    // Transfers and chunks of earlier operations may still come: only what is new counts.
    if (operation <= furthest) continue;
    furthest = operation;
    const [layer = "", part = ""] = program.operations[operation]?.path ?? [];
    const here = `${layer} ${part}`;
    if (block !== "" && here !== block) found.push(index);
    block = here;
  }
  return found;
}
