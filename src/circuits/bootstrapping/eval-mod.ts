/**
 * EvalMod: the sine that reduces modulo q0, on ciphertexts, as a cosine polynomial and double
 * angles (see approximation/eval-mod.ts).
 */
import type { Ciphertext, Evaluator } from "../../ckks/index.ts";
import type { EvalModPlan } from "../approximation/index.ts";
import { evaluateTogether, polynomialDepth } from "../polynomial.ts";

/** Levels that {@link evaluateSines} consumes. */
export function sineDepth(cosineDegree: number, doubleAngles: number): number {
  return polynomialDepth(cosineDegree) + doubleAngles;
}

/** u = x/(half the width of the plan's interval) → sin(2πx) at the given scale, of each of these, at one level and scale. */
export function evaluateSines(
  evaluator: Evaluator,
  plan: EvalModPlan,
  us: readonly Ciphertext[],
  scale: number,
): Ciphertext[] {
  const { parameters } = evaluator.context;
  const { series, doubleAngles, offset } = plan;
  // Each double angle squares the scale and divides it by a level's modulus: choose the first so
  // that the last is exact.
  const cosineLevel = (us[0] as Ciphertext).level - polynomialDepth(series.coefficients.length - 1);
  let cosineScale = scale;
  for (let step = doubleAngles - 1; step >= 0; step--) {
    cosineScale = Math.sqrt(cosineScale * parameters.levelModulus(cosineLevel - step));
  }
  const shifted = us.map((u) => evaluator.addConstant(u, -offset / series.interval[1]));
  let results = evaluateTogether(evaluator, shifted, series.coefficients, { scale: cosineScale });
  for (const u of shifted) u.dispose();
  for (let step = 0; step < doubleAngles; step++) {
    const squares = results.map((cosine) => {
      using previous = cosine;
      const square = evaluator.tensor(previous, previous, 2);
      evaluator.accumulateConstant(square, -1);
      return square;
    });
    results = evaluator.relineariseRescaleTogether(squares);
    for (const square of squares) square.dispose();
  }
  return results;
}
