/** The encoded transforms of bootstrapping: slots → coefficients and back. */
import type { Context } from "../../ckks/index.ts";
import { type DiagonalMatrix, LinearTransform } from "../linear-transform.ts";
import { coefficientFactors, doubleMatrix, scaleMatrix, slotFactors, withoutNegativeIndices } from "./dft.ts";

/** Baby steps of every factor: eight rotation keys a factor, one of them for all its giant steps. */
const babySteps = 8;

/**
 * Slots → coefficients, from `level` downwards.
 * @param gain what the scale of a ciphertext is multiplied by
 */
export function toCoefficients(context: Context, slots: number, level: number, gain: number): LinearTransform[] {
  const factors = withoutNegativeIndices(slotFactors(slots, level), "last");
  return factors.map((factor, i) => {
    const last = i === factors.length - 1;
    const scale = context.parameters.levelModulus(level - i) * (last ? gain : 1);
    return new LinearTransform(context, factor, level - i, { scale, babySteps });
  });
}

/**
 * Coefficients → slots, from the highest level downwards, times `factor`, the scale times `gain`.
 * With `packed` the slots are doubled: those of −i times the result follow those of the result.
 */
export function toSlots(context: Context, slots: number, count: number, factor: number, gain: number, packed: boolean): LinearTransform[] {
  const { parameters } = context;
  const factors = withoutNegativeIndices(coefficientFactors(slots, count), "first");
  return factors.map((matrix, i): LinearTransform => {
    const level = parameters.maximumLevel - i;
    let scaled: DiagonalMatrix = scaleMatrix(matrix, factor ** (1 / count));
    if (packed && i === count - 1) scaled = doubleMatrix(scaled, 0, -1);
    return new LinearTransform(context, scaled, level, { scale: parameters.levelModulus(level) * gain ** (1 / count), babySteps });
  });
}
