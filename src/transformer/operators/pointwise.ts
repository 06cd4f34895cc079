/** Operators that work slot by slot: polynomials and products. */
import { evaluateChebyshev } from "../../circuits/index.ts";
import type { Ciphertext } from "../../ckks/index.ts";
import type { PolynomialOperation } from "../../program/index.ts";
import type { Environment } from "./environment.ts";
import { keyMask } from "./short/attention.ts";

/** The polynomial of a ciphertext, then its mask (one level more). */
export function polynomial(
  environment: Environment,
  operation: PolynomialOperation,
  a: Ciphertext,
  at: { readonly block: number; readonly place: number },
): Ciphertext {
  using lowered = environment.at(a, operation.level as number);
  const value = evaluateChebyshev(environment.evaluator, lowered, operation.coefficients, { scale: environment.scale });
  if (operation.mask === "none") return value;
  using unmasked = value;
  return environment.multiplyVector(unmasked, maskOf(environment, operation, at));
}

function maskOf(
  environment: Environment,
  operation: PolynomialOperation,
  { block, place }: { readonly block: number; readonly place: number },
): Float64Array {
  const { layout, tokens, lanes, width, heads } = environment.geometry;
  switch (operation.mask) {
    case "keys":
      return keyMask(environment, place, operation.headFactors ?? new Array<number>(heads).fill(1));
    case "first-token": {
      const kept = layout === "long" ? lanes : width;
      return Float64Array.from({ length: tokens * lanes }, (_, slot) => (block === 0 && slot < kept ? 1 : 0));
    }
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
