/** The encoded transforms of bootstrapping: slots → coefficients and back. */
import type { Context } from "../../ckks/index.ts";
import { LinearTransform } from "../linear-transform.ts";
import {
  coefficientFactors,
  doubleMatrix,
  moduloIndices,
  scaleMatrix,
  slotFactors,
  withoutNegativeIndices,
} from "./dft.ts";

/**
 * Baby steps of every factor, and how many of them share one hoisting: five rotation keys serve
 * the factors of one stride, three for babies, one for the second hoisting, one for the chain of
 * giant steps. Eight of a hoisting would be 4 % faster for three more keys a stride.
 */
const steps = { babySteps: 8, hoistedSteps: 4 } as const;

/**
 * Slots → coefficients, from `level` downwards.
 * @param gain what the scale of a ciphertext is multiplied by
 */
export function toCoefficients(context: Context, slots: number, level: number, gain: number): LinearTransform[] {
  const factors = withoutNegativeIndices(slotFactors(slots, level), "last");
  return factors.map((factor, i) => {
    const last = i === factors.length - 1;
    const scale = context.parameters.levelModulus(level - i) * (last ? gain : 1);
    return new LinearTransform(context, factor, level - i, { scale, ...steps });
  });
}

/**
 * Coefficients → slots, from the highest level downwards, times `factor`, the scale times `gain`.
 * With `packed` the slots are doubled: those of −i times the result follow those of the result.
 */
export function toSlots(
  context: Context,
  slots: number,
  count: number,
  factor: number,
  gain: number,
  packed: boolean,
): LinearTransform[] {
  const { parameters } = context;
  let factors = coefficientFactors(slots, count);
  // The first factor has no compact diagonals anyway; its second half carries the factor −i on.
  if (packed)
    factors = factors.map((matrix, i) =>
      i === 0 ? doubleMatrix(moduloIndices(matrix, slots), 0, -1) : doubleMatrix(matrix, 1, 0),
    );
  return withoutNegativeIndices(factors, "first").map((turned, i): LinearTransform => {
    // The operand of the first factor has period `slots`.
    const matrix = i === 0 ? moduloIndices(turned, slots) : turned;
    const level = parameters.maximumLevel - i;
    const scale = parameters.levelModulus(level) * gain ** (1 / count);
    return new LinearTransform(context, scaleMatrix(matrix, factor ** (1 / count)), level, { scale, ...steps });
  });
}
