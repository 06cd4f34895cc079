/** Which keys are real tokens, in the long layout. */
import type { Ciphertext } from "../../../ckks/index.ts";
import { groupsOf, type MaskOperation, sequenceOf } from "../../../program/index.ts";
import type { Environment } from "../environment.ts";

/**
 * `factors` by head at the slots of real tokens of a block, zero elsewhere.
 *
 * @param baby as a baby step of diagonals meets them, group g at token t + baby·groups + g; without it
 *   only the first group, unrotated
 */
export function keyWeights(
  environment: Environment,
  block: number,
  factors: readonly number[],
  baby?: number,
): Float64Array {
  const { geometry, length } = environment;
  const { tokens, lanes, width, heads } = geometry;
  const groups = groupsOf(geometry);
  // No padding: all tokens are alike, and the vector has the period of the lanes.
  const rows = length === sequenceOf(geometry) ? 1 : tokens;
  return Float64Array.from({ length: rows * lanes }, (_, slot) => {
    const lane = slot % lanes;
    const group = Math.floor(lane / width);
    const head = lane % width;
    if (head >= heads || group >= (baby === undefined ? 1 : groups)) return 0;
    const token = (Math.floor(slot / lanes) + (baby === undefined ? 0 : baby * groups + group)) % tokens;
    return rows === 1 || block * tokens + token < length ? (factors[head] as number) : 0;
  });
}

/** Values of real tokens times their head's factor; depth 1. */
export function mask(environment: Environment, operation: MaskOperation, a: Ciphertext, block: number): Ciphertext {
  using at = environment.at(a, operation.level as number);
  return environment.multiplyVector(at, keyWeights(environment, block, operation.headFactors));
}

/** `single` → `offset`: group g holds token t + g. */
export function offset(environment: Environment, a: Ciphertext, level: number): Ciphertext {
  const { geometry } = environment;
  using at = environment.at(a, level);
  return environment.sumWindow(at, geometry.lanes - geometry.width, groupsOf(geometry));
}
