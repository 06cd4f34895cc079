/**
 * Σ over keys of scores times values, in the long layout. Scores lie as `diagonalAt` says: values are
 * rotated by baby steps, products of one giant step are summed before one relinearisation, and each
 * sum is rotated once, over QP. A giant step's sum is rounded on its own, so that the total does not
 * depend on which device took which giant steps.
 */
import type { Ciphertext } from "../../../ckks/index.ts";
import { addTensors, type ExtendedCiphertext, Multiplier, TensorAccumulator } from "../../../ckks/index.ts";
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

/** Contexts that are summed at a time: they read the same scores. */
export const contextsAtOnce = 2;

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
  const places = [...rows.values()].flat();
  const outputs = part.outputs[0] as readonly number[];
  const results: PartialSum[] = [];
  for (let first = 0; first < outputs.length; first += contextsAtOnce) {
    const few = outputs.slice(first, first + contextsAtOnce).map((output) => ({
      queryBlock: Math.floor(output / headSize),
      dimension: output % headSize,
    }));
    const dimensions = few.map(({ dimension }) => dimension);
    const factors = turnedValues(environment, value, dimensions, level, places);
    const totals: ExtendedCiphertext[] = [];
    for (const [giant, row] of rows) {
      const sums = few.map(() => new TensorAccumulator(evaluator.context, level));
      addTensors(
        evaluator.context,
        few.map(({ queryBlock }, i) => ({
          sum: sums[i] as TensorAccumulator,
          a: row.map(({ keyBlock, baby }) => factors[i]?.get(`${keyBlock} ${baby}`) as Multiplier),
          b: row.map(({ index }) => scores[queryBlock * count + index] as Ciphertext),
        })),
      );
      for (const [i, sum] of sums.entries()) {
        using products = sum.take();
        using extended = evaluator.relineariseExtended(products);
        totals[i] ??= environment.zeroExtended(level, extended.scale);
        evaluator.accumulateRotated(totals[i] as ExtendedCiphertext, extended, giant * giantStep(geometry));
      }
    }
    for (const map of factors) for (const factor of map.values()) factor[Symbol.dispose]();
    results.push(...totals.map(({ parts, scale }) => new PartialSum(parts, level, scale)));
  }
  return results;
}

/** The context ciphertext of a total: depth 1. */
export function finishContext(environment: Environment, sum: PartialSum): Ciphertext {
  return environment.divideSum(sum);
}

/** Rotations of some dimensions of the values, in Montgomery form: for each by key block and baby step. */
function turnedValues(
  environment: Environment,
  value: readonly (Ciphertext | undefined)[],
  dimensions: readonly number[],
  level: number,
  places: readonly DiagonalPlace[],
): Map<string, Multiplier>[] {
  const { geometry, evaluator } = environment;
  const factors = dimensions.map(() => new Map<string, Multiplier>());
  for (const keyBlock of distinct(places.map((place) => place.keyBlock))) {
    const babies = distinct(places.filter((place) => place.keyBlock === keyBlock).map(({ baby }) => baby));
    const operands = dimensions.map((d) => value[keyBlock * geometry.headSize + d] as Ciphertext);
    for (const [i, rotations] of turned(environment, operands, level, babies, babyStep(geometry)).entries()) {
      for (const [baby, rotated] of rotations) {
        using a = rotated;
        factors[i]?.set(`${keyBlock} ${baby}`, new Multiplier(evaluator.context, a, level));
      }
    }
  }
  return factors;
}
