/** Modular arithmetic on bigint, written for plainness: the yardstick of the fast kernels. */

/** a mod q in [0, q), also for negative a. */
export function modulo(a: bigint, q: bigint): bigint {
  const r = a % q;
  return r < 0n ? r + q : r;
}

export function power(base: bigint, exponent: bigint, q: bigint): bigint {
  if (exponent === 0n) return 1n;
  const half = power(base, exponent / 2n, q);
  const square = (half * half) % q;
  return exponent % 2n === 0n ? square : (square * base) % q;
}

/** a^-1 mod q for a prime q (Fermat). */
export function inverse(a: bigint, q: bigint): bigint {
  return power(modulo(a, q), q - 2n, q);
}

/** The smallest g of multiplicative order q − 1. */
export function generator(q: bigint): bigint {
  const factors: bigint[] = [];
  let rest = q - 1n;
  for (let d = 2n; rest > 1n; d = d * d > rest ? rest : d + 1n) {
    if (rest % d === 0n) factors.push(d);
    while (rest % d === 0n) rest /= d;
  }
  let g = 2n;
  while (factors.some((factor) => power(g, (q - 1n) / factor, q) === 1n)) g++;
  return g;
}

/** The primitive 2·2^logN-th root of unity that the backends agree on. */
export function primitiveRoot(logN: number, q: bigint): bigint {
  return power(generator(q), (q - 1n) >> BigInt(logN + 1), q);
}

/** The lowest `bits` bits of i in reverse. */
export function reverseBits(i: number, bits: number): number {
  let reversed = 0;
  for (let bit = 0; bit < bits; bit++) reversed = reversed * 2 + ((i >> bit) & 1);
  return reversed;
}

/**
 * Values of Σ x_j·X^j at ψ^(2k+1) for k = 0, 1, …, in that order, by splitting into even and odd
 * coefficients: p(X) = e(X²) + X·o(X²). The squares of the first half of the points are all the
 * points of the half-size problem, those of the second half are the same again with −X for X.
 */
export function evaluate(x: readonly bigint[], psi: bigint, q: bigint): bigint[] {
  if (x.length === 1) return [x[0]];
  const square = (psi * psi) % q;
  const even = evaluate(
    x.filter((_, j) => j % 2 === 0),
    square,
    q,
  );
  const odd = evaluate(
    x.filter((_, j) => j % 2 === 1),
    square,
    q,
  );
  const values = new Array<bigint>(x.length);
  let point = psi;
  for (let k = 0; k < even.length; k++) {
    const term = (point * odd[k]) % q;
    values[k] = (even[k] + term) % q;
    values[k + even.length] = modulo(even[k] - term, q);
    point = (point * square) % q;
  }
  return values;
}

/** The inverse of {@link evaluate}: e and o from p(X) and p(−X). */
export function interpolate(values: readonly bigint[], psi: bigint, q: bigint): bigint[] {
  if (values.length === 1) return [values[0]];
  const half = values.length / 2;
  const square = (psi * psi) % q;
  const twoInverse = (q + 1n) / 2n;
  const pointStep = inverse(square, q);
  let factor = (twoInverse * inverse(psi, q)) % q;
  const even: bigint[] = [];
  const odd: bigint[] = [];
  for (let k = 0; k < half; k++) {
    even.push(((values[k] + values[k + half]) * twoInverse) % q);
    odd.push(modulo((values[k] - values[k + half]) * factor, q));
    factor = (factor * pointStep) % q;
  }
  const e = interpolate(even, square, q);
  const o = interpolate(odd, square, q);
  return values.map((_, j) => (j % 2 === 0 ? e[j / 2] : o[(j - 1) / 2]));
}
