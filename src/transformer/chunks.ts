/** How one device takes a whole operation of the long layout: few results at a time, for its memory. */
import type { Parameters } from "../ckks/index.ts";
import { type Operation, type Part, type Program, range, wholePart } from "../program/index.ts";
import { isSumming, sumShape } from "./operators/execute.ts";

/** Results whose sums take about this much are made together. */
export const chunkBytes = 2 ** 30;

/**
 * Parts that are an operation together. What operands are rotated by is made again for each; scores
 * come in whole rows of baby steps.
 */
export function chunksOf(
  program: Pick<Program, "tensors" | "geometry">,
  operation: Operation,
  ring: Pick<Parameters, "degree" | "limbs" | "specialCount">,
  bytes = chunkBytes,
): Part[] {
  const whole = wholePart(program, operation);
  if (!isSumming(program, operation) || (operation.kind !== "linear" && operation.kind !== "scores")) return [whole];
  const largest = Math.max(
    ...operation.outputs.map((_, o) => {
      const { polynomials, extended } = sumShape(program, operation, o);
      return polynomials * (ring.limbs(operation.level as number) + (extended ? ring.specialCount : 0));
    }),
  );
  const unit = operation.kind === "scores" ? program.geometry.babySteps : 1;
  const fit = Math.max(unit, Math.floor(bytes / (4 * ring.degree * largest) / unit) * unit);
  const all = whole.outputs.flatMap((list, o) => list.map((number) => ({ o, number })));
  const count = Math.max(1, Math.ceil(all.length / fit));
  const units = Math.ceil(all.length / unit);
  return range(count).map((chunk) => {
    const from = unit * Math.floor((chunk * units) / count);
    const to = unit * Math.floor(((chunk + 1) * units) / count);
    const taken = all.slice(from, to);
    return { outputs: whole.outputs.map((_, o) => taken.filter((one) => one.o === o).map(({ number }) => number)) };
  });
}
