/**
 * Small dense linear algebra in doubles: LU with partial pivoting for square systems, Householder QR
 * for least squares. Matrices are row-major. Follows Golub and Van Loan, Matrix Computations, 3.4 and 5.2–5.3.
 */

/** Solves A·x = b for an n×n matrix; overwrites both. Undefined when a pivot vanishes. */
export function solveSquare(matrix: Float64Array, right: Float64Array): Float64Array | undefined {
  const n = right.length;
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column + 1; row < n; row++) {
      if (Math.abs(matrix[row * n + column]) > Math.abs(matrix[pivot * n + column])) pivot = row;
    }
    const largest = matrix[pivot * n + column];
    if (!(Math.abs(largest) > 0)) return undefined;
    if (pivot !== column) {
      for (let j = column; j < n; j++) {
        const swapped = matrix[pivot * n + j];
        matrix[pivot * n + j] = matrix[column * n + j];
        matrix[column * n + j] = swapped;
      }
      [right[pivot], right[column]] = [right[column], right[pivot]];
    }
    for (let row = column + 1; row < n; row++) {
      const factor = matrix[row * n + column] / largest;
      if (factor === 0) continue;
      for (let j = column + 1; j < n; j++) matrix[row * n + j] -= factor * matrix[column * n + j];
      right[row] -= factor * right[column];
    }
  }
  for (let row = n - 1; row >= 0; row--) {
    let sum = right[row];
    for (let j = row + 1; j < n; j++) sum -= matrix[row * n + j] * right[j];
    right[row] = sum / matrix[row * n + row];
  }
  return right.every(Number.isFinite) ? right : undefined;
}

/** The x of length `columns` that minimises |A·x − b|, A of b.length × columns; overwrites both. */
export function leastSquares(matrix: Float64Array, right: Float64Array, columns: number): Float64Array {
  const rows = right.length;
  const diagonal = new Float64Array(columns);
  for (let k = 0; k < columns; k++) {
    let norm = 0;
    for (let i = k; i < rows; i++) norm += matrix[i * columns + k] ** 2;
    const head = matrix[k * columns + k];
    diagonal[k] = head > 0 ? -Math.sqrt(norm) : Math.sqrt(norm);
    if (diagonal[k] === 0) continue;
    matrix[k * columns + k] = head - diagonal[k]; // the Householder vector, below and on the diagonal
    const scale = 1 / (diagonal[k] * matrix[k * columns + k]); // −2 / |v|²
    const projected = new Float64Array(columns - k);
    let onRight = 0;
    for (let i = k; i < rows; i++) {
      const v = matrix[i * columns + k];
      for (let j = k + 1; j < columns; j++) projected[j - k] += v * matrix[i * columns + j];
      onRight += v * right[i];
    }
    for (let i = k; i < rows; i++) {
      const v = scale * matrix[i * columns + k];
      for (let j = k + 1; j < columns; j++) matrix[i * columns + j] += v * projected[j - k];
      right[i] += v * onRight;
    }
  }
  const largest = diagonal.reduce((most, d) => Math.max(most, Math.abs(d)), 0);
  const solution = new Float64Array(columns);
  for (let k = columns - 1; k >= 0; k--) {
    if (Math.abs(diagonal[k]) <= 2 ** -50 * largest) continue; // dependent column: leave it out
    let sum = right[k];
    for (let j = k + 1; j < columns; j++) sum -= matrix[k * columns + j] * solution[j];
    solution[k] = sum / diagonal[k];
  }
  return solution;
}
