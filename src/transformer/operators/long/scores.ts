/**
 * Scores of the long layout: for every diagonal the products of queries and keys, summed over the
 * dimensions of the heads before one relinearisation. Keys are rotated by baby steps, queries by giant
 * ones (see `diagonalAt`); nothing is rotated back.
 */
import type { Ciphertext } from "../../../ckks/index.ts";
import { addTensors, Multiplier, TensorAccumulator } from "../../../ckks/index.ts";
import {
  diagonalAt,
  diagonalCount,
  type Geometry,
  groupsOf,
  type Part,
  range,
  type ScoresOperation,
} from "../../../program/index.ts";
import type { Environment } from "../environment.ts";
import { PartialSum } from "../sum.ts";

/**
 * Dimensions whose queries and keys are hoisted and rotated at a time: their products are summed together. Of
 * each, queries of all giant steps are alive.
 */
export const dimensionsAtOnce = 2;

/** Slots that turn queries (and contexts back) by one giant step. */
export function giantStep(geometry: Geometry): number {
  return geometry.babySteps * groupsOf(geometry) * geometry.lanes;
}

/** Slots that turn keys and values by one baby step. */
export function babyStep(geometry: Geometry): number {
  return groupsOf(geometry) * geometry.lanes;
}

/** Numbers of `diagonals` ciphertexts, by query block and key block. */
export function byBlocks(geometry: Geometry, indices: readonly number[]) {
  const count = diagonalCount(geometry);
  const groups = new Map<string, { queryBlock: number; keyBlock: number; at: number[] }>();
  for (const [at, index] of indices.entries()) {
    const queryBlock = Math.floor(index / count);
    const { keyBlock } = diagonalAt(geometry, index % count);
    const key = `${queryBlock} ${keyBlock}`;
    const group = groups.get(key) ?? { queryBlock, keyBlock, at: [] };
    group.at.push(at);
    groups.set(key, group);
  }
  return [...groups.values()];
}

/** Degree-2 sums over the dimensions in `part.summed`, one for each score ciphertext in `part`. */
export function scoreSums(
  environment: Environment,
  operation: ScoresOperation,
  query: readonly (Ciphertext | undefined)[],
  key: readonly (Ciphertext | undefined)[],
  part: Part,
): PartialSum[] {
  const { evaluator, geometry } = environment;
  const { context } = evaluator;
  const level = operation.level as number;
  const { headSize } = geometry;
  const dimensions = part.summed ?? range(headSize);
  const indices = part.outputs[0] as readonly number[];
  const sums = indices.map(() => new TensorAccumulator(context, level));
  for (const { queryBlock, keyBlock, at } of byBlocks(geometry, indices)) {
    const places = at.map((i) => ({
      sum: sums[i] as TensorAccumulator,
      ...diagonalAt(geometry, (indices[i] as number) % diagonalCount(geometry)),
    }));
    const babies = distinct(places.map(({ baby }) => baby));
    const giants = distinct(places.map(({ giant }) => giant));
    for (let first = 0; first < dimensions.length; first += dimensionsAtOnce) {
      const chunk = dimensions.slice(first, first + dimensionsAtOnce);
      const at = (block: number, from: readonly (Ciphertext | undefined)[]): Ciphertext[] =>
        chunk.map((d) => from[block * headSize + d] as Ciphertext);
      const keys = turned(environment, at(keyBlock, key), level, babies, babyStep(geometry));
      const queries = turned(environment, at(queryBlock, query), level, giants, -giantStep(geometry)).map((rotated) => {
        const lifted = new Map<number, Multiplier>();
        for (const [giant, a] of rotated) {
          lifted.set(giant, new Multiplier(context, a, level));
          a.dispose();
        }
        return lifted;
      });
      addTensors(
        context,
        places.map(({ sum, giant, baby }) => ({
          sum,
          a: queries.map((rotated) => rotated.get(giant) as Multiplier),
          b: keys.map((rotated) => rotated.get(baby) as Ciphertext),
        })),
      );
      for (const rotated of [...keys, ...queries]) disposeAll(rotated);
    }
  }
  return sums.map((sum) => {
    const { parts, scale } = sum.take();
    return new PartialSum(parts, level, scale);
  });
}

/** The score ciphertext of a total: depth 1. */
export function finishScores(environment: Environment, operation: ScoresOperation, sum: PartialSum): Ciphertext {
  using rescaled = environment.relineariseSum(sum);
  return environment.evaluator.addConstant(rescaled, operation.constant);
}

/** Rotations of each ciphertext by multiples of `step`, sharing one ModUp; all are hoisted at once and share what is read of keys. */
export function turned(
  environment: Environment,
  operands: readonly Ciphertext[],
  level: number,
  multiples: readonly number[],
  step: number,
): Map<number, Ciphertext>[] {
  const { evaluator } = environment;
  const low = operands.map((a) => environment.at(a, level));
  const results = operands.map(() => new Map<number, Ciphertext>());
  const hoisted = multiples.every((k) => k === 0) ? [] : low.map((a) => evaluator.hoist(a));
  for (const k of multiples) {
    const rotations = k === 0 ? low.map((a) => evaluator.copy(a)) : evaluator.rotateHoistedTogether(hoisted, k * step);
    for (const [i, rotation] of rotations.entries()) results[i]?.set(k, rotation);
  }
  for (const one of [...hoisted, ...low]) one[Symbol.dispose]();
  return results;
}

export function distinct(values: readonly number[]): number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

function disposeAll(map: ReadonlyMap<number, Disposable>): void {
  for (const value of map.values()) value[Symbol.dispose]();
}
