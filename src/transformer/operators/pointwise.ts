/** Operators that work slot by slot: polynomials, products, sums of squares. */
import { evaluateChebyshev } from "../../circuits/index.ts";
import type { Ciphertext } from "../../ckks/index.ts";
import type { PolynomialOperation, SquareSumOperation } from "../../program/index.ts";
import { keyMask } from "./attention.ts";
import type { Environment } from "./environment.ts";

/** The polynomial of every ciphertext, then its mask (one level more). */
export function polynomial(
  environment: Environment,
  operation: PolynomialOperation,
  input: readonly Ciphertext[],
): Ciphertext[] {
  const level = operation.level as number;
  return input.map((a, part) => {
    using at = environment.at(a, level);
    const value = evaluateChebyshev(environment.evaluator, at, operation.coefficients, { scale: environment.scale });
    if (operation.mask === "none") return value;
    using unmasked = value;
    return environment.multiplyVector(unmasked, maskOf(environment, operation, part));
  });
}

function maskOf(environment: Environment, operation: PolynomialOperation, part: number): Float64Array {
  const { tokens, lanes, width, heads } = environment.geometry;
  switch (operation.mask) {
    case "keys":
      return keyMask(environment, part, operation.headFactors ?? new Array<number>(heads).fill(1));
    case "first-token":
      return Float64Array.from({ length: tokens * lanes }, (_, slot) => (slot < width ? 1 : 0));
    default:
      return environment.singleMask();
  }
}

/** a·b; depth 1. */
export function multiply(environment: Environment, level: number, a: Ciphertext, b: Ciphertext): Ciphertext {
  using left = environment.at(a, level);
  using right = environment.at(b, level);
  return environment.evaluator.multiplyRescale(left, right);
}

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
