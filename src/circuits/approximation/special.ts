/**
 * Activation functions in doubles, accurate enough to fit polynomials to: absolute error below 2^-50
 * on [−8, 8], and erfc beyond 2.5 to a relative error of 2^-48.
 *
 * erf by its series of positive terms for |x| < 2.5, erfc by its continued fraction beyond
 * (Abramowitz and Stegun 7.1.6 and 7.1.14).
 */

/** Where the series hands over to the continued fraction. */
const border = 2.5;

/** 2/√π·∫_0^x exp(−t²) dt. */
export function erf(x: number): number {
  if (Math.abs(x) >= border) return x > 0 ? 1 - erfcTail(x) : erfcTail(-x) - 1;
  const square = x * x;
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 2 ** -55 * Math.abs(sum); n++) {
    term *= (2 * square) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-square) * sum;
}

/** 1 − erf(x), without cancellation for x ≥ 2.5; an absolute error of 2^-50 below. */
export function erfc(x: number): number {
  if (x >= border) return erfcTail(x);
  return 1 - erf(x);
}

/** exp(−x²)/√π · 1/(x + (1/2)/(x + 1/(x + (3/2)/(x + …)))) for x ≥ 2.5. */
function erfcTail(x: number): number {
  if (x > 27.3) return 0; // below the smallest double
  let fraction = x;
  for (let k = 60; k >= 1; k--) fraction = x + k / 2 / fraction;
  const head = Math.fround(x); // its square is exact: the rounding of x² would cost 2^-53·x²
  return (Math.exp(-head * head) * Math.exp((head - x) * (head + x))) / (Math.sqrt(Math.PI) * fraction);
}

/** GELU, x·Φ(x) = x/2·(1 + erf(x/√2)); the exact function, not the tanh formula. */
export function gelu(x: number): number {
  return 0.5 * x * erfc(-x * Math.SQRT1_2);
}

/** max(0, x). */
export function relu(x: number): number {
  return x > 0 ? x : 0;
}

/** x/(1 + exp(−x)), also called swish. */
export function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

/** 1/(1 + exp(−x)). */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
