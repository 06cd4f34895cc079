/**
 * EvalMod: the sine that reduces modulo q0, on ciphertexts, as a cosine polynomial and double
 * angles (see approximation/eval-mod.ts).
 */
import type { Ciphertext, Evaluator } from "../../ckks/index.ts";
import type { EvalModPlan } from "../approximation/index.ts";
import { evaluateChebyshev, polynomialDepth } from "../polynomial.ts";

/** Levels that {@link evaluateSine} consumes. */
export function sineDepth(cosineDegree: number, doubleAngles: number): number {
  return polynomialDepth(cosineDegree) + doubleAngles;
}

/** u = x/(half the width of the plan's interval) → sin(2πx) at the given scale. */
export function evaluateSine(evaluator: Evaluator, plan: EvalModPlan, u: Ciphertext, scale: number): Ciphertext {
  const { parameters } = evaluator.context;
  const { series, doubleAngles, offset } = plan;
  // Each double angle squares the scale and divides it by a level's modulus: choose the first so
  // that the last is exact.
  const cosineLevel = u.level - polynomialDepth(series.coefficients.length - 1);
  let cosineScale = scale;
  for (let step = doubleAngles - 1; step >= 0; step--) {
    cosineScale = Math.sqrt(cosineScale * parameters.levelModulus(cosineLevel - step));
  }
  using shifted = evaluator.addConstant(u, -offset / series.interval[1]);
  let result = evaluateChebyshev(evaluator, shifted, series.coefficients, { scale: cosineScale });
  for (let step = 0; step < doubleAngles; step++) {
    using previous = result;
    using square = evaluator.tensor(previous, previous, 2);
    evaluator.accumulateConstant(square, -1);
    result = evaluator.relineariseRescale(square);
  }
  return result;
}
