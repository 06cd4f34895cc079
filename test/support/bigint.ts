/** Polynomials of a ring as big integers, one a coefficient: the definition that kernels are held to. */
import type { Poly } from "../../src/ring/poly.ts";
import type { Ring } from "../../src/ring/ring.ts";
import { uniforms } from "./ckks.ts";

export const product = (primes: readonly number[]): bigint => primes.reduce((all, q) => all * BigInt(q), 1n);

export const modulo = (x: bigint, q: bigint): bigint => ((x % q) + q) % q;

/** The representative of x in (−q/2, q/2]. */
export function centred(x: bigint, q: bigint): bigint {
  const rest = modulo(x, q);
  return 2n * rest > q ? rest - q : rest;
}

/** Inverse modulo any coprime modulus, by Euclid. */
export function inverse(a: bigint, q: bigint): bigint {
  let [r0, r1] = [q, modulo(a, q)];
  let [t0, t1] = [0n, 1n];
  while (r1 !== 0n) {
    const quotient = r0 / r1;
    [r0, r1] = [r1, r0 - quotient * r1];
    [t0, t1] = [t1, t0 - quotient * t1];
  }
  return modulo(t0, q);
}

/** Writes integers as residues, coefficient domain. */
export function fromBig(ring: Ring, moduli: readonly number[], values: readonly bigint[]): Poly {
  const poly = ring.poly(moduli, "coefficient");
  for (const [i, modulus] of moduli.entries()) {
    const q = BigInt(ring.primes[modulus]);
    ring.kernels.write(
      poly,
      i,
      Uint32Array.from(values, (x) => Number(modulo(x, q))),
    );
  }
  return poly;
}

/** Residues of each limb; a copy in coefficient domain is read. */
export function residues(poly: Poly): Uint32Array[] {
  using copy = poly.clone().toCoefficient();
  return copy.moduli.map((_, i) => {
    const words = new Uint32Array(copy.ring.degree);
    copy.ring.kernels.read(copy, i, words);
    return words;
  });
}

/** Centred integers of a polynomial, by the Chinese remainder theorem. */
export function toBig(poly: Poly): bigint[] {
  const primes = poly.moduli.map((index) => poly.ring.primes[index]);
  const q = product(primes);
  const weights = primes.map((p) => {
    const rest = q / BigInt(p);
    return rest * inverse(rest, BigInt(p));
  });
  const limbs = residues(poly);
  return Array.from({ length: poly.ring.degree }, (_, j) =>
    centred(
      limbs.reduce((sum, limb, i) => sum + BigInt(limb[j]) * weights[i], 0n),
      q,
    ),
  );
}

/** Uniform integers in [0, below), and the ends. */
export function randomBig(count: number, below: bigint, seed: number): bigint[] {
  const next = uniforms(seed);
  const words = Math.ceil(below.toString(2).length / 24) + 3;
  const ends = [0n, 1n, below - 1n, below / 2n, below / 2n + 1n];
  return Array.from({ length: count }, (_, j) => {
    if (j < ends.length) return ends[j];
    let x = 0n;
    for (let i = 0; i < words; i++) x = (x << 24n) | BigInt(Math.floor(next() * 2 ** 24));
    return x % below;
  });
}
