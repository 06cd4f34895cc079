/** Sums of squares over the features of each token, in the short layout. */
import type { Ciphertext } from "../../../ckks/index.ts";
import type { SquareSumOperation } from "../../../program/index.ts";
import type { Environment } from "../environment.ts";

/**
 * Σ of squares over the features of each token + constant, in all of its feature lanes. With spare
 * lanes (zero beyond `width`) a window of 2·width lanes does it; without, the sum is taken in lane 0,
 * masked and copied: one level more.
 */
export function squareSum(environment: Environment, operation: SquareSumOperation, a: Ciphertext): Ciphertext {
  const { evaluator, geometry } = environment;
  using at = environment.at(a, operation.level as number);
  using square = evaluator.multiplyRescale(at, at);
  if (geometry.lanes >= 2 * geometry.width) {
    using window = environment.sumWindow(square, 1, 2 * geometry.width);
    using centred = evaluator.rotate(window, -geometry.width);
    return evaluator.addConstant(centred, operation.constant);
  }
  using sum = environment.sumWindow(square, 1, geometry.width);
  using first = environment.multiplyVector(
    sum,
    environment.lanes((lane) => (lane === 0 ? 1 : 0)),
  );
  using copies = environment.sumWindow(first, -1, geometry.width);
  return evaluator.addConstant(copies, operation.constant);
}
