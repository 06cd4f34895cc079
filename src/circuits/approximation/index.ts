/**
 * Polynomials for encrypted evaluation: fits with measured errors, and plans for the functions that a
 * Transformer and bootstrapping need. Pure mathematics in doubles (fixed point where that is not enough);
 * nothing here knows of ciphertexts. A plan holds every constant of its scheme, and the `evaluate…` function beside it
 * computes precisely that plan in doubles: the encrypted evaluator follows the same plan.
 */
export * from "./activation.ts";
export * from "./chebyshev.ts";
export * from "./cosine.ts";
export * from "./cost.ts";
export * from "./eval-mod.ts";
export * from "./exp.ts";
export * from "./extrema.ts";
export * from "./fit.ts";
export * from "./interval.ts";
export * from "./inverse.ts";
export * from "./inverse-sqrt.ts";
export * from "./parity.ts";
export * from "./remez.ts";
export * from "./special.ts";
