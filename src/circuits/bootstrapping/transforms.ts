/** The encoded transforms of bootstrapping: slots → coefficients and back. */
import type { Context } from "../../ckks/index.ts";
import { type DiagonalMatrix, LinearTransform } from "../linear-transform.ts";
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

/** Matrices that were made last, the oldest first: contexts that only count, and devices, ask for the same ones. */
const made = new Map<string, readonly DiagonalMatrix[]>();
const keptMatrices = 4;

function remembered(key: string, make: () => readonly DiagonalMatrix[]): readonly DiagonalMatrix[] {
  const matrices = made.get(key) ?? make();
  made.delete(key);
  made.set(key, matrices);
  for (const oldest of made.keys()) if (made.size > keptMatrices) made.delete(oldest);
  return matrices;
}

/**
 * Slots → coefficients, from `level` downwards.
 * @param gain what the scale of a ciphertext is multiplied by
 * @param like transforms of the same parameters and slots to take the outlines of, in place of values
 */
export function toCoefficients(
  context: Context,
  slots: number,
  level: number,
  gain: number,
  like?: readonly LinearTransform[],
): LinearTransform[] {
  const factors =
    like?.map((transform) => transform.outline()) ??
    remembered(`coefficients ${slots} ${level}`, () => withoutNegativeIndices(slotFactors(slots, level), "last"));
  return factors.map((factor, i) => {
    const last = i === factors.length - 1;
    const scale = context.parameters.levelModulus(level - i) * (last ? gain : 1);
    return new LinearTransform(context, factor, level - i, { scale, ...steps });
  });
}

/**
 * Coefficients → slots, from the highest level downwards, times `factor`, the scale times `gain`.
 * With `packed` the slots are doubled: those of −i times the result follow those of the result.
 * @param like see {@link toCoefficients}
 */
export function toSlots(
  context: Context,
  slots: number,
  count: number,
  factor: number,
  gain: number,
  packed: boolean,
  like?: readonly LinearTransform[],
): LinearTransform[] {
  const matrices =
    like?.map((transform) => transform.outline()) ??
    remembered(`slots ${slots} ${count} ${factor} ${packed}`, () => slotMatrices(slots, count, factor, packed));
  return matrices.map((matrix, i): LinearTransform => {
    const level = context.parameters.maximumLevel - i;
    const scale = context.parameters.levelModulus(level) * gain ** (1 / count);
    return new LinearTransform(context, matrix, level, { scale, ...steps });
  });
}

function slotMatrices(slots: number, count: number, factor: number, packed: boolean): DiagonalMatrix[] {
  let factors = coefficientFactors(slots, count);
  // The first factor has no compact diagonals anyway; its second half carries the factor −i on.
  if (packed)
    factors = factors.map((matrix, i) =>
      i === 0 ? doubleMatrix(moduloIndices(matrix, slots), 0, -1) : doubleMatrix(matrix, 1, 0),
    );
  return withoutNegativeIndices(factors, "first").map((turned, i) => {
    // The operand of the first factor has period `slots`.
    const matrix = i === 0 ? moduloIndices(turned, slots) : turned;
    return scaleMatrix(matrix, factor ** (1 / count));
  });
}
