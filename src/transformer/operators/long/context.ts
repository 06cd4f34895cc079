/**
 * Σ over keys of scores times values, in the long layout. Scores lie as `diagonalAt` says: values are
 * rotated by baby steps, products of one giant step are summed before one relinearisation, and each
 * sum is rotated once, over QP. A giant step's sum is rounded on its own, so that the total does not
 * depend on which device took which giant steps.
 */
import type { Ciphertext } from "../../../ckks/index.ts";
import { type ExtendedCiphertext, Multiplier, TensorAccumulator } from "../../../ckks/index.ts";
import {
  type ContextOperation,
  type DiagonalPlace,
  diagonalAt,
  diagonalCount,
  type Part,
  range,
} from "../../../program/index.ts";
import type { Environment } from "../environment.ts";
import { PartialSum } from "../sum.ts";
import { babyStep, distinct, giantStep, turned } from "./scores.ts";

/** Scores of a giant step, whatever their key block. */
export function byGiant(environment: Environment, diagonals: readonly number[]) {
  const rows = new Map<number, (DiagonalPlace & { index: number })[]>();
  for (const index of diagonals) {
    const place = { ...diagonalAt(environment.geometry, index), index };
    rows.set(place.giant, [...(rows.get(place.giant) ?? []), place]);
  }
  return rows;
}

/** Sums over QP of the diagonals in `part.summed`, which holds whole giant steps; one for each context ciphertext. */
export function contextSums(
  environment: Environment,
  operation: ContextOperation,
  scores: readonly (Ciphertext | undefined)[],
  value: readonly (Ciphertext | undefined)[],
  part: Part,
): PartialSum[] {
  const { evaluator, geometry } = environment;
  const level = operation.level as number;
  const { headSize } = geometry;
  const count = diagonalCount(geometry);
  const rows = byGiant(environment, part.summed ?? range(count));
  return (part.outputs[0] as readonly number[]).map((output) => {
    const queryBlock = Math.floor(output / headSize);
    const factors = turnedValues(environment, value, output % headSize, level, [...rows.values()].flat());
    let total: ExtendedCiphertext | undefined;
    for (const [giant, places] of rows) {
      using sum = new TensorAccumulator(evaluator.context, level);
      sum.add(
        places.map(({ keyBlock, baby }) => factors.get(`${keyBlock} ${baby}`) as Multiplier),
        places.map(({ index }) => scores[queryBlock * count + index] as Ciphertext),
      );
      using products = sum.take();
      using extended = evaluator.relineariseExtended(products);
      total ??= environment.zeroExtended(level, extended.scale);
      evaluator.accumulateRotated(total, extended, giant * giantStep(geometry));
    }
    for (const factor of factors.values()) factor[Symbol.dispose]();
    const { parts, scale } = total as ExtendedCiphertext;
    return new PartialSum(parts, level, scale);
  });
}

/** The context ciphertext of a total: depth 1. */
export function finishContext(environment: Environment, sum: PartialSum): Ciphertext {
  return environment.divideSum(sum);
}

/** Rotations of one dimension of the values, in Montgomery form, by key block and baby step. */
function turnedValues(
  environment: Environment,
  value: readonly (Ciphertext | undefined)[],
  dimension: number,
  level: number,
  places: readonly DiagonalPlace[],
): Map<string, Multiplier> {
  const { geometry, evaluator } = environment;
  const factors = new Map<string, Multiplier>();
  for (const keyBlock of distinct(places.map((place) => place.keyBlock))) {
    const babies = distinct(places.filter((place) => place.keyBlock === keyBlock).map(({ baby }) => baby));
    const operand = value[keyBlock * geometry.headSize + dimension] as Ciphertext;
    for (const [baby, rotated] of turned(environment, operand, level, babies, babyStep(geometry))) {
      using a = rotated;
      factors.set(`${keyBlock} ${baby}`, new Multiplier(evaluator.context, a, level));
    }
  }
  return factors;
}
