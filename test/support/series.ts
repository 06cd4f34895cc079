/** Σ coefficients[k]·cos(k·arccos u): the definition, for u in [−1, 1]. */
export function evaluateSeries(coefficients: readonly number[], u: number): number {
  const angle = Math.acos(Math.max(-1, Math.min(1, u)));
  return coefficients.reduce((sum, c, k) => sum + c * Math.cos(k * angle), 0);
}
