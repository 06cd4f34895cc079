/** Goodness of fit for the tests of samplers. */

/** Pearson's statistic of counts against expected counts. */
export function chiSquare(counts: ArrayLike<number>, expected: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < counts.length; i++) sum += (counts[i] - expected[i]) ** 2 / expected[i];
  return sum;
}

/**
 * The value that a chi-square variable exceeds with the probability that a normal one exceeds
 * `deviations` (Wilson–Hilferty 1931).
 */
export function chiSquareBound(freedom: number, deviations = 5): number {
  const h = 2 / (9 * freedom);
  return freedom * (1 - h + deviations * Math.sqrt(h)) ** 3;
}

/** Mean, variance and fourth standardised moment. */
export function moments(values: ArrayLike<number>): { mean: number; variance: number; kurtosis: number } {
  let mean = 0;
  for (let i = 0; i < values.length; i++) mean += values[i] / values.length;
  let second = 0;
  let fourth = 0;
  for (let i = 0; i < values.length; i++) {
    const square = (values[i] - mean) ** 2;
    second += square / values.length;
    fourth += square ** 2 / values.length;
  }
  return { mean, variance: second, kurtosis: fourth / second ** 2 };
}
